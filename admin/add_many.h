/* add_many.h - `devreg add --from` and `devreg add --count`: many devices in one transaction. */
#ifndef DEVREG_ADMIN_ADD_MANY_H
#define DEVREG_ADMIN_ADD_MANY_H

#include "admin/command.h"

MUST_CHECK enum status add_many(struct call *call);

#endif
