#include "admin/migrate.h"
enum status migrate_acl(struct migration *migration, const char *path, const char *role)
{
    (void)migration;
    (void)path;
    (void)role;
    return STATUS_DONE;
}
enum status migrate_dynsec(struct migration *migration, const char *path)
{
    (void)migration;
    (void)path;
    return STATUS_DONE;
}
