/* All verbs, a row each: name, arguments, summary, details, examples, number of arguments, what has
 * to be open, options, function. Help shows them in this order. */
#include "admin/command.h"

#define BIT(name)     OPTION_BIT(OPT_##name)
#define DEVICE_FIELDS (BIT(SET) | BIT(EXPIRES) | BIT(NOTE) | BIT(CLIENT_ID))

#define RULE_DETAILS                                                                               \
    "ACTION is publish, subscribe (to ask for a filter, and to be handed messages) or all.\n"      \
    "FILTER is an MQTT topic filter; a whole level may be %u (the device's id), %c (its\n"         \
    "client id) or %{name} (an attribute). Deny wins over allow, and what no rule allows is\n"     \
    "denied. The order of rules never matters."

const struct command commands[] = {
    {"init", "", "Create the registry, so that the broker can read it",
     "The directory is made if it is missing. Its owner is who runs this, the broker only reads.",
     "  sudo devreg init\n  devreg -r ./registry init\n  sudo devreg init --user broker", 0, 0,
     NEED_NOTHING, BIT(USER), cmd_init},
    {"add", "ID", "Add a device, and show its key, once",
     "ID is the device's MQTT user name: 1 to 128 characters of A-Z a-z 0-9 . _ : @ - that begin\n"
     "with a letter or digit. stdout gets the key alone. A new device holds the role 'device'\n"
     "unless --role names others. For a person, use --password or --password-file.",
     "  devreg add pump-7\n  devreg add pump-7 --set site=kiel --role pump --expires 90d\n"
     "  devreg add alice --password",
     1, 1, NEED_WRITE,
     DEVICE_FIELDS | BIT(ROLE) | BIT(NO_ROLE) | BIT(NO_KEY) | BIT(PASSWORD) | BIT(PASSWORD_FILE),
     cmd_add},
    {"password", "ID", "Replace the password of a person",
     "It is typed twice without echo, or read from a file. Keys that the device has stay.",
     "  devreg password alice\n  devreg password alice --password-file new-password.txt", 1, 1,
     NEED_WRITE, BIT(PASSWORD_FILE), cmd_password},
    {"rotate", "ID", "Give a device a new key; the old ones end after a grace",
     "Both work until the grace is over, so that the device can be changed meanwhile.",
     "  devreg rotate pump-7\n  devreg rotate pump-7 --grace 0\n"
     "  devreg rotate pump-7 --grace 30d --label spring",
     1, 1, NEED_WRITE, BIT(GRACE) | BIT(LABEL), cmd_rotate},
    {"list", "", "List the devices",
     "Columns: device, state, roles, presence (online, offline, never, unknown), since.",
     "  devreg list\n  devreg list --role pump --set site=kiel\n"
     "  devreg list --offline-for 7d --json",
     0, 0, NEED_READ, BIT(ONLY_STATE) | BIT(ONLY_ROLE) | BIT(ONLY_SET) | BIT(OFFLINE_FOR),
     cmd_list},
    {"show", "ID", "Show all that is known of a device, but for its secrets", NULL,
     "  devreg show pump-7\n  devreg show pump-7 --json", 1, 1, NEED_READ, 0, cmd_show},
    {"set", "ID [NAME=VALUE...]", "Change a device's attributes, roles, note, expiry or client ids",
     NULL,
     "  devreg set pump-7 site=kiel floor=2\n  devreg set pump-7 --unset floor --add-role valve\n"
     "  devreg set pump-7 --expires never --client-id device",
     1, WORDS_ANY, NEED_WRITE,
     DEVICE_FIELDS | BIT(UNSET) | BIT(ROLES) | BIT(ADD_ROLE) | BIT(REMOVE_ROLE), cmd_set},
    {"disable", "ID", "Turn a device off, until it is enabled again",
     "From the moment that this returns it can neither connect, publish nor receive.",
     "  devreg disable pump-7\n  devreg disable pump-7 --reason 'in repair'", 1, 1, NEED_WRITE,
     BIT(REASON), cmd_disable},
    {"enable", "ID", "Turn a disabled device on again", NULL, "  devreg enable pump-7", 1, 1,
     NEED_WRITE, 0, cmd_enable},
    {"revoke", "ID", "Turn a device off for good, and destroy its keys",
     "Its record stays, so that nobody takes its id by mistake; 'remove' and 'add' begin afresh.",
     "  devreg revoke pump-7\n  devreg revoke pump-7 --reason 'stolen in May'", 1, 1, NEED_WRITE,
     BIT(REASON), cmd_revoke},
    {"remove", "ID", "Remove a device and all that is known of it", NULL, "  devreg remove pump-7",
     1, 1, NEED_WRITE, 0, cmd_remove},
    {"role add", "NAME", "Add a role: rules that many devices share",
     "It begins without rules; 'devreg allow @NAME ...' adds them.",
     "  devreg role add pump --note 'all pumps'\n"
     "  devreg allow @pump publish 'site/%{site}/%u/#'",
     1, 1, NEED_WRITE, BIT(NOTE), cmd_role_add},
    {"role list", "", "List the roles", "Columns: role, number of rules, of devices, note.",
     "  devreg role list", 0, 0, NEED_READ, 0, cmd_role_list},
    {"role show", "NAME", "Show a role and its rules", NULL, "  devreg role show device", 1, 1,
     NEED_READ, 0, cmd_role_show},
    {"role remove", "NAME", "Remove a role that no device holds", NULL, "  devreg role remove pump",
     1, 1, NEED_WRITE, 0, cmd_role_remove},
    {"allow", "DEVICE|@ROLE ACTION FILTER", "Allow a device or a role an action on topics",
     RULE_DETAILS,
     "  devreg allow pump-7 publish plant/flow\n"
     "  devreg allow @pump subscribe 'site/%{site}/cmd/+'",
     3, 3, NEED_WRITE, 0, cmd_allow},
    {"deny", "DEVICE|@ROLE ACTION FILTER", "Deny a device or a role an action on topics",
     RULE_DETAILS, "  devreg deny @pump all 'site/+/+/firmware'", 3, 3, NEED_WRITE, 0, cmd_deny},
    {"unset", "DEVICE|@ROLE ACTION FILTER", "Remove a rule, whether it allows or denies",
     "ACTION and FILTER are those of the rule, as 'devreg show' shows them.",
     "  devreg unset pump-7 publish plant/flow\n"
     "  devreg unset @pump all 'site/+/+/firmware'",
     3, 3, NEED_WRITE, 0, cmd_unset},
    {"explain", "ID publish|subscribe|deliver TOPIC",
     "Tell whether the broker would let it, and which rule says so",
     "It asks the function that the broker asks. Exit status 0 is allowed, 1 denied.",
     "  devreg explain pump-7 publish devices/pump-7/temperature\n"
     "  devreg explain pump-7 subscribe 'devices/#'",
     3, 3, NEED_READ, BIT(AS_CLIENT), cmd_explain},
    {"log", "", "Show who changed what, and when",
     "The oldest comes first. Columns: time, who, verb, device or @role, details.",
     "  devreg log --limit 20\n  devreg log --device pump-7 --since 30d", 0, 0, NEED_READ,
     BIT(OF_DEVICE) | BIT(OF_ROLE) | BIT(SINCE) | BIT(LIMIT), cmd_log},
    {"check", "", "Check every record, and the owners and modes of the files",
     "Exit status 0: all is well; 1: there are findings, each with what to do.",
     "  sudo devreg check", 0, 0, NEED_READ, 0, cmd_check},
    {"export", "[FILE]", "Write the registry as text, in JSON lines",
     "To stdout, or to a new FILE that only you can read. Without --with-hashes no credential is\n"
     "in it: it is for reading, and for moving devices that get new keys.",
     "  devreg export > devices.jsonl\n  devreg export --with-hashes backup.jsonl", 0, 1, NEED_READ,
     BIT(WITH_HASHES), cmd_export},
    {"import", "FILE|-", "Read what export wrote: all of it, or nothing",
     "An export with hashes goes into a registry without devices and makes it as the other was;\n"
     "roles that are there give way. One without hashes adds devices that have no keys yet.",
     "  devreg import devices.jsonl\n  devreg -r /srv/new import backup.jsonl", 1, 1, NEED_WRITE, 0,
     cmd_import},
};

const size_t command_count = sizeof commands / sizeof *commands;
