# data.bash - the same devices and rules for each contender. Sourced by run.
#
#   d000000 ...      devices: may publish below d/<own id>/      role `meter`
#   w000001 ... 16   watchers: may subscribe to d/+/t            role `watcher`
#   p000000          may do both below d/<own id>/               role `pulse`
#
# Of the n rules of a meter or watcher the last one decides; those before it are plain topics that
# do not match. A data directory has all files of one number of devices and one of rules.
# shellcheck shell=bash

watchers=16
# The accounts that stand before the devices that only connect: d000000, the watchers, p000000.
first=$((watchers + 2))

# "id role" of each account.
list_accounts() { # DEVICES
  awk -v devices="$1" -v watchers="$watchers" 'BEGIN {
    print "d000000 meter"
    for (i = 1; i <= watchers; i++) printf "w%06d watcher\n", i
    print "p000000 pulse"
    for (i = 1; i < devices; i++) printf "d%06d meter\n", i
  }'
}

# "action filter" of each rule, in the order in which they are to be looked at.
list_rules() { # ROLE RULES
  local action=publish last='d/%u/#'
  [ "$1" = meter ] || { action=subscribe && last='d/+/t'; }
  awk -v n="$2" -v action="$action" -v last="$last" 'BEGIN {
    for (i = 1; i < n; i++) printf "%s plant/%04d/state\n", action, i
    print action, last
  }'
}

# data_prepare DEVICES RULES: sets $data.
data_prepare() {
  data=$work/data-$1-$2
  [ ! -d "$data" ] || return 0
  mkdir "$data"
  list_accounts "$1" >"$data/list"
  list_rules meter "$2" >"$data/meter"
  list_rules watcher "$2" >"$data/watcher"
  awk -v key="$common_key" '{ print $1 "," key }' "$data/list" >"$data/accounts"
}

# The file of accounts for a contender.
accounts_of() { # CONTENDER DIR
  case $1 in
  devreg*) echo "$2/registry.accounts" ;;
  *) echo "$2/accounts" ;;
  esac
}

# ---- devreg

role_line() { # NAME FILE
  awk -v name="$1" 'BEGIN { printf "{\"role\":\"%s\",\"note\":\"\",\"rules\":[", name }
    { printf "%s\"allow %s %s\"", NR != 1 ? "," : "", $1, $2 }
    END { print "],\"version\":1,\"created\":0,\"changed\":0}" }' "$2"
}

write_roles() {
  echo '{"devreg_export":1,"hashes":false,"made":0,"by":"bench"}'
  role_line meter "$data/meter"
  role_line watcher "$data/watcher"
  role_line pulse <(echo "all d/%u/#")
}

write_devices() {
  echo "device,role,attr.site,attr.model"
  awk '{ printf "%s,%s,site-%d,model-%d\n", $1, $2, NR % 100, NR % 7 }' "$data/list"
}

make_devreg() {
  [ ! -d "$data/registry" ] || return 0
  export DEVREG_REGISTRY=$data/registry
  devreg init --user "$(id -un)" >/dev/null 2>&1
  cp -a "$data/registry/presence" "$data/presence"
  write_roles >"$data/roles.jsonl"
  devreg import "$data/roles.jsonl" >"$data/import.out" 2>&1
  write_devices >"$data/devices.csv"
  "$load" run -- "$program" add --from "$data/devices.csv" --keys "$data/keys.csv" \
    2>"$data/add.err" >"$data/add.out" || fail "devreg add --from: $(cat "$data/add.err")"
  tail -n +2 "$data/keys.csv" >"$data/registry.accounts"
}

# ---- password_file and acl_file

# Devices share their rules by patterns; a watcher has a list of its own, as a person would.
write_acl() {
  awk '{ print "pattern " ($1 == "publish" ? "write" : "read"), $2 }' "$data/meter"
  awk '$2 == "watcher" { print $1 }' "$data/list" | while read -r watcher; do
    echo "user $watcher"
    awk '{ print "topic read", $2 }' "$data/watcher"
  done
}

make_files() {
  [ ! -f "$data/passwords" ] || return 0
  awk -v hash="$common_hash" '{ print $1 ":" hash }' "$data/list" >"$data/passwords"
  write_acl >"$data/acl"
  chmod 600 "$data/passwords" "$data/acl"
}

# ---- mosquitto_dynamic_security.so, in its own format. Rules of a higher priority come first.

dynsec_acls() { # FILE TYPE ...
  local file=$1 kind
  shift
  for kind in "$@"; do
    awk -v kind="$kind" '{
      sub(/%u/, "+", $2)
      printf "%s{\"acltype\":\"%s\",\"topic\":\"%s\",\"priority\":%d,\"allow\":true}",
        NR != 1 ? "," : "", kind, $2, 100000 - NR }' "$file"
    [ "$kind" = "${!#}" ] || printf ','
  done
}

dynsec_clients() {
  awk -v hash="$common_hash" 'BEGIN { split(hash, part, "$") }
    { printf "%s{\"username\":\"%s\",\"salt\":\"%s\",\"password\":\"%s\",\"iterations\":%d%s}",
        NR != 1 ? ",\n" : "", $1, part[4], part[5], part[3],
        $2 == "watcher" ? ",\"roles\":[{\"rolename\":\"watcher\"}]" : "" }' "$data/list"
}

make_dynsec() {
  [ ! -f "$data/dynsec.json" ] || return 0
  {
    printf '{"defaultACLAccess":{"publishClientSend":false,"publishClientReceive":false,'
    printf '"subscribe":false,"unsubscribe":true},\n"clients":['
    dynsec_clients
    printf '],\n"groups":[{"groupname":"meters","roles":[{"rolename":"meter"}],"clients":['
    awk '$2 == "meter" { printf "%s{\"username\":\"%s\"}", n++ ? "," : "", $1 }' "$data/list"
    printf ']}],\n"roles":[{"rolename":"meter","acls":['
    dynsec_acls "$data/meter" publishClientSend
    printf ']},{"rolename":"watcher","acls":['
    dynsec_acls "$data/watcher" publishClientReceive subscribeLiteral subscribePattern
    printf ']}]}\n'
  } >"$data/dynsec.json"
}

# data_for CONTENDER DEVICES RULES: sets $data.
data_for() {
  data_prepare "$2" "$3"
  case $1 in
  devreg*) make_devreg ;;
  files) make_files ;;
  dynsec) make_dynsec ;;
  esac
}
