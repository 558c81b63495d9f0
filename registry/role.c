#include "registry/role.h"

#include <assert.h>

#include "registry/text.h"

void role_init(struct role *role, const char *name)
{
    assert(role_name_valid(name));
    *role = (struct role){0};
    (void)text_copy(role->name, ROLE_NAME_MAX, name);
}

void role_clear(struct role *role)
{
    rules_clear(&role->rules);
}
