#include "accounts.h"

/* "pass-of-hans" for hans and for pump-7, as mosquitto_passwd writes it. */
static const char passwords[] =
    "hans:$7$101$+FrpOUEseekQpWNa$xEpnbsza5L0FXtJNT/dqa2teS+iCCFTroXhKueen6c2ox7+UleReVrgEEoyZHgIXi"
    "7zqpjC8v5kRYPk2J5+iTg==\n"
    "pump-7:$7$101$+FrpOUEseekQpWNa$xEpnbsza5L0FXtJNT/dqa2teS+iCCFTroXhKueen6c2ox7+UleReVrgEEoyZHgI"
    "Xi7zqpjC8v5kRYPk2J5+iTg==";

void accounts_write(struct scene *scene, const char *more)
{
    char acl[512];
    check(snprintf(acl, sizeof acl, "user hans\ntopic readwrite hans/#\n%s", more) <
          (int)sizeof acl);
    scene_remember(scene, "hans", "pass-of-hans");
    scene_write(scene, "passwords", passwords, 0644);
    scene_write(scene, "acl", acl, 0644);
}
