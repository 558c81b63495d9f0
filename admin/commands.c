/* All verbs, a row each, in the order in which help shows them. */
#include "admin/command.h"

#define BIT(name)     OPTION_BIT(OPT_##name)
#define DEVICE_FIELDS (BIT(SET) | BIT(EXPIRES) | BIT(NOTE) | BIT(CLIENT_ID))
#define MANY          (BIT(WHERE) | BIT(YES) | BIT(DRY_RUN) | BIT(PRESENCE_STORE))
#define ID_OR_WHERE   "ID | --where CONDITION"

#define WHERE_DETAILS                                                                              \
    "With --where it is done to all devices for which each condition holds:\n"                     \
    "site=kiel or attr.site=kiel (an attribute), role=pump, state=disabled,\n"                     \
    "expiring=30d, unused-key=365d, online, offline, offline-for=7d, never-seen; see\n"            \
    "'devreg list --help'. How many they are is asked back; all are changed, or none.\n"           \
    "Devices that are so already are left alone, and stay connected."

#define RULE_DETAILS                                                                               \
    "ACTION is publish, subscribe (to ask for a filter, and to be handed messages)\n"              \
    "or all. FILTER is an MQTT topic filter; a whole level may be %u (the device's\n"              \
    "id), %c (its client id) or %{name} (an attribute). Deny wins over allow, and\n"               \
    "what no rule allows is denied. The order of rules never matters."

const struct command commands[] = {
    {.name = "init",
     .summary = "Create the registry, so that the broker can read it",
     .details = "The directory is made if it is missing. Its owner is who runs this, the broker\n"
                "only reads.",
     .examples = "  sudo devreg init\n"
                 "  devreg -r ./registry init\n"
                 "  sudo devreg init --user broker",
     .need = NEED_NOTHING,
     .options = BIT(USER),
     .run = cmd_init},
    {.name = "add",
     .words = "ID | --from FILE | --count N --prefix TEXT",
     .summary = "Add a device, and show its key, once; or many devices",
     .details =
         "ID is the device's MQTT user name: 1 to 128 of the characters\n"
         "A-Z a-z 0-9 . _ : @ - that begin with a letter or digit. stdout gets the key\n"
         "alone. A new device holds the role 'device' unless --role names others. For a\n"
         "person, use --password or --password-file.\n\n"
         "--from reads CSV, whose first line names the columns: device, role (several are\n"
         "parted by blanks), expires, note, client_id, attr.NAME; or JSON lines, as 'show\n"
         "--json' and 'list --json' answer. What a line leaves out is as the other options\n"
         "say. All devices are added, or none: each bad line is named. The keys go to stdout\n"
         "or --keys FILE, as CSV or with --json as JSON lines, before the devices are there:\n"
         "when this fails, they open nothing. A million devices take 300 MB of memory, or\n"
         "500 MB and more with long notes and many attributes.",
     .examples = "  devreg add pump-7\n"
                 "  devreg add pump-7 --set site=kiel --role pump --expires 90d\n"
                 "  devreg add alice --password\n"
                 "  devreg add --from pumps.csv --keys keys.csv\n"
                 "  devreg add --from - --role pump --dry-run < pumps.csv\n"
                 "  devreg add pump-7 --qr > pump-7.key\n"
                 "  devreg add --count 500 --prefix pump- --set site=kiel --keys keys.csv\n"
                 "  devreg add --count 500 --prefix pump- --start 501 --keys more.csv",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = DEVICE_FIELDS | BIT(ROLE) | BIT(NO_ROLE) | BIT(NO_KEY) | BIT(PASSWORD) |
                BIT(PASSWORD_FILE) | BIT(FROM) | BIT(COUNT_OF) | BIT(PREFIX) | BIT(START) |
                BIT(KEYS) | BIT(KEEP_GOING) | BIT(DRY_RUN) | BIT(QR),
     .run = cmd_add},
    {.name = "password",
     .words = "ID",
     .summary = "Replace the password of a person",
     .details = "It is typed twice without echo, or read from a file. Keys that the device has\n"
                "stay.",
     .examples = "  devreg password alice\n"
                 "  devreg password alice --password-file new-password.txt",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(PASSWORD_FILE),
     .run = cmd_password},
    {.name = "rotate",
     .words = ID_OR_WHERE,
     .summary = "Give a device a new key; the old ones end after a grace",
     .details = "Both work until the grace is over, so that the device can be changed\n"
                "meanwhile; with --until-used the old ones end as soon as the broker has let\n"
                "the device in with the new one. A device has at most 8 keys; those that ended\n"
                "make room.\n\n" WHERE_DETAILS "\n\n"
                "Of many devices the new keys go to stdout or --keys FILE, as CSV or with --json\n"
                "as JSON lines, before they hold: when this fails, they open nothing.",
     .examples = "  devreg rotate pump-7\n"
                 "  devreg rotate pump-7 --grace 0\n"
                 "  devreg rotate pump-7 --grace 30d --until-used --label spring\n"
                 "  devreg rotate pump-7 --qr\n"
                 "  devreg rotate --where site=kiel --grace 30d --until-used --keys keys.csv\n"
                 "  devreg rotate --where expiring=30d --keys keys.csv --yes",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(GRACE) | BIT(UNTIL_USED) | BIT(LABEL) | BIT(QR) | BIT(KEYS) | MANY,
     .run = cmd_rotate},
    {.name = "list",
     .summary = "List the devices",
     .details =
         "What is asked for has to hold altogether. --where takes the conditions of the\n"
         "verbs that change many: site=kiel or attr.site=kiel (an attribute), role=pump,\n"
         "state=disabled, expiring=30d, unused-key=365d, online, offline, offline-for=7d,\n"
         "never-seen.\n\n"
         "Columns: device, state (enabled, disabled, revoked), reason, roles, attributes,\n"
         "attr.NAME (one attribute), limits, note, client_id, expires, credentials, ending\n"
         "and ends (what of it ends next, and when), unused and last_used (its key or\n"
         "password that was not used for the longest time, and when it was), presence\n"
         "(online, offline, never, unknown), since, client, address, version, created,\n"
         "changed. With --json they are the members of each object.\n\n"
         "--state expired is enabled devices whose expiry is over; --state quarantined those\n"
         "that the broker refuses (plugin_opt_duplicate_use). An old key that ended since its\n"
         "successor was used is passed over by --expiring and --unused-key.\n\n"
         "Who is online, and which key was used, is what the broker noted last.\n"
         "--offline-for also names devices that never connected, if they were added so long\n"
         "ago; --unused-key also those whose key is as old and was never used. What these\n"
         "options ask cannot be told where the broker runs with plugin_opt_presence off.\n\n"
         "The order is that of the ids, in lower case. For the next page give --after the\n"
         "last id of the one before.",
     .examples = "  devreg list\n"
                 "  devreg list --role pump --set site=kiel\n"
                 "  devreg list --online\n"
                 "  devreg list --offline-for 7d --json\n"
                 "  devreg list --expiring 30d\n"
                 "  devreg list --unused-key 365d --columns device,attr.site,unused,last_used\n"
                 "  devreg list --limit 100 --after pump-7",
     .need = NEED_READ,
     .options = BIT(ONLY_STATE) | BIT(ONLY_ROLE) | BIT(ONLY_SET) | BIT(ONLY_ONLINE) |
                BIT(ONLY_OFFLINE) | BIT(OFFLINE_FOR) | BIT(NEVER_SEEN) | BIT(EXPIRING) |
                BIT(UNUSED_KEY) | BIT(WHERE) | BIT(FIRST) | BIT(AFTER) | BIT(COLUMNS) |
                BIT(PRESENCE_STORE),
     .run = cmd_list},
    {.name = "show",
     .words = "ID",
     .summary = "Show all that is known of a device, but for its secrets",
     .examples = "  devreg show pump-7\n"
                 "  devreg show pump-7 --json",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_READ,
     .options = BIT(PRESENCE_STORE),
     .run = cmd_show},
    {.name = "set",
     .words = ID_OR_WHERE " [NAME=VALUE...]",
     .summary = "Change a device's attributes, roles, note, expiry or client ids",
     .details =
         WHERE_DETAILS "\n"
                       "There --unset and --remove-role do not mind what a device does not have.",
     .examples = "  devreg set pump-7 site=kiel floor=2\n"
                 "  devreg set pump-7 --unset floor --add-role valve\n"
                 "  devreg set pump-7 --expires never --client-id device\n"
                 "  devreg set --where site=kiel site=hamburg\n"
                 "  devreg set --where role=pump --where site=kiel --add-role valve --dry-run",
     .words_min = 0,
     .words_max = WORDS_ANY,
     .need = NEED_WRITE,
     .options = DEVICE_FIELDS | BIT(UNSET) | BIT(ROLES) | BIT(ADD_ROLE) | BIT(REMOVE_ROLE) | MANY,
     .run = cmd_set},
    {.name = "disable",
     .words = ID_OR_WHERE,
     .summary = "Turn a device off, until it is enabled again",
     .details = "From the moment that this returns it can neither connect, publish nor "
                "receive.\n\n" WHERE_DETAILS,
     .examples = "  devreg disable pump-7\n"
                 "  devreg disable pump-7 --reason 'in repair'\n"
                 "  devreg disable --where site=kiel --reason 'site closed'",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(REASON) | MANY,
     .run = cmd_disable},
    {.name = "enable",
     .words = ID_OR_WHERE,
     .summary = "Turn a disabled device on again",
     .details = WHERE_DETAILS,
     .examples = "  devreg enable pump-7\n"
                 "  devreg enable --where site=kiel --where state=disabled",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = MANY,
     .run = cmd_enable},
    {.name = "revoke",
     .words = ID_OR_WHERE,
     .summary = "Turn a device off for good, and destroy its keys",
     .details = "Its record stays, so that nobody takes its id by mistake; 'remove' and 'add'\n"
                "begin afresh.\n\n" WHERE_DETAILS,
     .examples = "  devreg revoke pump-7\n"
                 "  devreg revoke pump-7 --reason 'stolen in May'\n"
                 "  devreg revoke --where unused-key=365d --dry-run",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(REASON) | MANY,
     .run = cmd_revoke},
    {.name = "remove",
     .words = ID_OR_WHERE,
     .summary = "Remove a device and all that is known of it",
     .details = WHERE_DETAILS,
     .examples = "  devreg remove pump-7\n"
                 "  devreg remove --where state=expired --yes",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = MANY,
     .run = cmd_remove},
    {.name = "role add",
     .words = "NAME",
     .summary = "Add a role: rules that many devices share",
     .details =
         "It begins without rules; 'devreg allow @NAME ...' adds them. With --force it takes\n"
         "the place of a role whose record is damaged: what that one denied is forgotten.",
     .examples = "  devreg role add pump --note 'all pumps'\n"
                 "  devreg allow @pump publish 'site/%{site}/%u/#'",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(FORCE) | BIT(NOTE),
     .run = cmd_role_add},
    {.name = "role list",
     .summary = "List the roles",
     .details = "Columns: role, number of rules, of devices, note.",
     .examples = "  devreg role list\n"
                 "  devreg role list --json",
     .need = NEED_READ,
     .run = cmd_role_list},
    {.name = "role show",
     .words = "NAME",
     .summary = "Show a role and its rules",
     .examples = "  devreg role show device\n"
                 "  devreg role show pump --json",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_READ,
     .run = cmd_role_show},
    {.name = "role remove",
     .words = "NAME",
     .summary = "Remove a role that no device holds",
     .examples = "  devreg set --where role=pump --remove-role pump\n"
                 "  devreg role remove pump",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_WRITE,
     .run = cmd_role_remove},
    {.name = "allow",
     .words = "DEVICE|@ROLE ACTION FILTER",
     .summary = "Allow a device or a role an action on topics",
     .details = RULE_DETAILS,
     .examples = "  devreg allow pump-7 publish plant/flow\n"
                 "  devreg allow @pump subscribe 'site/%{site}/cmd/+'",
     .words_min = 3,
     .words_max = 3,
     .need = NEED_WRITE,
     .run = cmd_allow},
    {.name = "deny",
     .words = "DEVICE|@ROLE ACTION FILTER",
     .summary = "Deny a device or a role an action on topics",
     .details = RULE_DETAILS,
     .examples = "  devreg deny @pump all 'site/+/+/firmware'\n"
                 "  devreg deny pump-7 publish 'devices/pump-7/cmd/#'",
     .words_min = 3,
     .words_max = 3,
     .need = NEED_WRITE,
     .run = cmd_deny},
    {.name = "unset",
     .words = "DEVICE|@ROLE ACTION FILTER",
     .summary = "Remove a rule, whether it allows or denies",
     .details = "ACTION and FILTER are those of the rule, as 'devreg show' shows them.",
     .examples = "  devreg unset pump-7 publish plant/flow\n"
                 "  devreg unset @pump all 'site/+/+/firmware'",
     .words_min = 3,
     .words_max = 3,
     .need = NEED_WRITE,
     .run = cmd_unset},
    {.name = "limit",
     .words = "DEVICE|@ROLE | --where CONDITION LIMIT=VALUE...",
     .summary = "Limit what a device, or each device with a role, may send",
     .details =
         "messages=60 a minute, of which burst=20 may come at once (else all of them),\n"
         "payload=1024 bytes each, retain=no (what the broker is to keep), qos=1 at most,\n"
         "connections=2 at a time. A value 'none' takes a limit away again.\n\n"
         "Of a device's roles the strictest counts. What the device itself says takes the\n"
         "place of that, so it can be given more, also 'unlimited' or retain=yes.\n\n"
         "What is over a limit is dropped and counted, the device stays connected, and with\n"
         "plugin_opt_errors on it is told so on devreg/errors/DEVICE. One connection too\n"
         "many is refused. It holds from the next message on.\n\n" WHERE_DETAILS,
     .examples = "  devreg limit pump-7 messages=60 burst=20 payload=1024\n"
                 "  devreg limit @pump retain=no qos=1 connections=2\n"
                 "  devreg limit pump-7 messages=unlimited burst=none\n"
                 "  devreg limit --where site=kiel messages=600",
     .words_min = 0,
     .words_max = WORDS_ANY,
     .need = NEED_WRITE,
     .options = MANY,
     .run = cmd_limit},
    {.name = "explain",
     .words = "ID publish|subscribe|deliver TOPIC",
     .summary = "Tell whether the broker would let it, and which rule says so",
     .details = "It asks the function that the broker asks. Exit status 0 is allowed, 1 denied.\n"
                "Where limits concern what is allowed, a second line tells them.",
     .examples = "  devreg explain pump-7 publish devices/pump-7/temperature\n"
                 "  devreg explain pump-7 subscribe 'devices/#'",
     .words_min = 3,
     .words_max = 3,
     .need = NEED_READ,
     .options = BIT(PRESENCE_STORE) | BIT(AS_CLIENT),
     .run = cmd_explain},
    {.name = "log",
     .summary = "Show who changed what, and when",
     .details = "The oldest comes first. Columns: time, who, verb, device or @role, details.",
     .examples = "  devreg log --limit 20\n"
                 "  devreg log --device pump-7 --since 30d",
     .need = NEED_READ,
     .options = BIT(OF_DEVICE) | BIT(OF_ROLE) | BIT(SINCE) | BIT(LIMIT),
     .run = cmd_log},
    {.name = "log trim",
     .summary = "Remove the oldest entries of the log",
     .details = "That it was done stands in the log. A broker that has not read what is removed\n"
                "looks at everything afresh, so no change is missed.",
     .examples = "  devreg log trim --keep 90d --dry-run\n"
                 "  devreg log trim --keep 100000",
     .need = NEED_WRITE,
     .options = BIT(KEEP) | BIT(DRY_RUN),
     .run = cmd_log_trim},
    {.name = "watch",
     .words = "[DEVICE...]",
     .summary = "Show live who comes and goes, and who changes what",
     .details = "Of all devices, or of those that are named. Columns: time, device or @role,\n"
                "what happened, details. Of presence: online, offline, refused (a CONNECT),\n"
                "denied (a publish or subscription), forgotten; of the registry what 'devreg\n"
                "log' shows. 'missed' says that more came than could be followed. Until Ctrl-C;\n"
                "the time on a terminal is the local one. NO_COLOR turns colours off.",
     .examples = "  devreg watch\n"
                 "  devreg watch pump-7 pump-8\n"
                 "  devreg watch --json | jq -r 'select(.event == \"offline\") | .device'",
     .words_min = 0,
     .words_max = WORDS_ANY,
     .need = NEED_READ,
     .options = BIT(PRESENCE_STORE),
     .run = cmd_watch},
    {.name = "stats",
     .summary = "Count devices, who is online, credentials, refusals, bytes",
     .details = "Who is online, offline and was never seen is counted as on devreg/summary.\n"
                "Expiring is what ends within 7 days. Refused (CONNECTs) and denied (publishes\n"
                "and subscriptions) are summed over the devices that there are.",
     .examples = "  devreg stats\n"
                 "  devreg stats --json",
     .need = NEED_READ,
     .options = BIT(PRESENCE_STORE),
     .run = cmd_stats},
    {.name = "check",
     .summary = "Check every record, the files' owners and modes, and devreg.so",
     .details =
         "Exit status 0: all is well; 1: there are findings, each with what to do. It reads\n"
         "every record and its checksum, compares what is counted, looks at who may read and\n"
         "write the files, and at which version of devreg.so is installed and ran last.\n"
         "--repair counts anew how many devices there are, and hold each role. Imported\n"
         "passwords are listed, too, and are no finding.",
     .examples = "  sudo devreg check\n"
                 "  sudo devreg check --repair\n"
                 "  sudo devreg check --plugin /opt/mosquitto/devreg.so",
     .need = NEED_NOTHING,
     .options = BIT(PRESENCE_STORE) | BIT(PLUGIN) | BIT(REPAIR),
     .run = cmd_check},
    {.name = "export",
     .words = "[FILE]",
     .summary = "Write the registry as text, in JSON lines",
     .details = "To stdout, or to a new FILE that only you can read. Without --with-hashes no\n"
                "credential is in it: it is for 'devreg apply', for reading, and for moving\n"
                "devices that get new keys.",
     .examples = "  devreg export > devices.jsonl\n"
                 "  devreg export --with-hashes backup.jsonl",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_READ,
     .options = BIT(WITH_HASHES),
     .run = cmd_export},
    {.name = "import",
     .words = "FILE|- | --mosquitto-passwd FILE | --dynsec FILE",
     .summary = "Read what export wrote, or Mosquitto's own users: all or nothing",
     .details = "An export with hashes goes into a registry without devices and makes it as the\n"
                "other was; roles that are there give way. One without hashes adds devices that\n"
                "have no keys yet.\n\n"
                "Mosquitto's users become devices whose passwords work on, up to 128 bytes; see\n"
                "'check', and replace them with 'rotate' or 'password'. Without --acl-file they\n"
                "hold the role 'device' unless --role names others. What devreg would decide\n"
                "otherwise than Mosquitto did is refused, and nothing is imported. --dry-run\n"
                "shows what becomes of each.",
     .examples = "  devreg import devices.jsonl\n"
                 "  devreg -r /srv/new import backup.jsonl\n"
                 "  devreg import --mosquitto-passwd passwd --acl-file acl --dry-run\n"
                 "  devreg import --dynsec dynamic-security.json",
     .words_min = 0,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(MOSQUITTO_PASSWD) | BIT(ACL_FILE) | BIT(PATTERN_ROLE) | BIT(DYNSEC) |
                BIT(ROLE) | BIT(NO_ROLE) | BIT(DRY_RUN),
     .run = cmd_import},
    {.name = "apply",
     .words = "FILE|-",
     .summary = "Make the registry what a file says: all of it, or nothing",
     .details =
         "FILE is what 'devreg export' writes, or the like by hand: a line\n"
         "{\"devreg_export\":1}, then a line for each role and device. A line is all that there\n"
         "is to say: what it leaves out is empty, and a device without \"roles\" holds none.\n"
         "Times, versions and generations are passed over. Devices that are as their line\n"
         "says are not touched and stay connected.\n\n"
         "Credentials stay as they are, and new devices have none: see 'devreg rotate'. In a\n"
         "file with hashes, which has to be of this registry, they are as the file says. A\n"
         "revoked device stays revoked. What FILE does not name stays too, unless --prune is\n"
         "given; then FILE has to end with {\"devreg_export\":\"end\"}, so that one that was\n"
         "cut short removes nothing.\n\n"
         "Answers a line for each change: + added, ~ changed and in what, - removed.",
     .examples = "  devreg export > fleet.jsonl\n"
                 "  devreg apply fleet.jsonl --dry-run\n"
                 "  devreg apply fleet.jsonl --prune\n"
                 "  devreg apply fleet.jsonl --prune --yes --json",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_WRITE,
     .options = BIT(PRUNE) | BIT(DRY_RUN) | BIT(YES),
     .run = cmd_apply},
    {.name = "backup",
     .words = "FILE|-",
     .summary = "Copy the registry to a new file, while everything runs",
     .details =
         "The copy is of one moment, without unused space, and every record of it is read\n"
         "back. FILE is new and only you can read it: it holds the registry's secret. '-' is\n"
         "stdout, as for 'devreg backup - | gpg -e'; then the registry is read before.\n\n"
         "The broker's presence store is not in it: it finds out anew who is online, and what\n"
         "is lost with that store is when a device was last seen, and which client ids its\n"
         "sessions have. A backup is for this kind of machine and LMDB; 'devreg export\n"
         "--with-hashes' is for any, without the log.",
     .examples = "  sudo devreg backup /srv/backup/devreg-2027-01-31.mdb\n"
                 "  sudo devreg backup - >/mnt/stick/devreg.mdb",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_READ,
     .run = cmd_backup},
    {.name = "restore",
     .words = "FILE|-",
     .summary = "Make a backup the registry, also under a running broker",
     .details =
         "Every record of it is read before; it is written beside, then renamed. Where no\n"
         "registry is, one is made, as by 'devreg init'. One that is there is replaced with\n"
         "--force only, and keeps its owner; changes since the backup are lost with it, also\n"
         "from the log. A running broker goes by the new one when this returns: keys that it\n"
         "does not know end, and so do their connections. If it does not, this says so.\n"
         "--dry-run only reads FILE.",
     .examples = "  sudo devreg restore --dry-run /srv/backup/devreg-2027-01-31.mdb\n"
                 "  sudo devreg restore --force /srv/backup/devreg-2027-01-31.mdb\n"
                 "  sudo devreg -r /srv/copy restore --user broker devreg.mdb",
     .words_min = 1,
     .words_max = 1,
     .need = NEED_NOTHING,
     .options = BIT(FORCE) | BIT(ACCEPT_DAMAGE) | BIT(USER) | BIT(DRY_RUN) | BIT(PRESENCE_STORE),
     .run = cmd_restore},
};

const size_t command_count = sizeof commands / sizeof *commands;
