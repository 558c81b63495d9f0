#!/bin/sh
# includes.sh ROOT: who may include what.
#
#   plugin/ --> registry/ <-- admin/     lmdb.h: registry/store.c     sodium.h: registry/crypto.c
#
# Mosquitto's headers: plugin/, tests/broker/, tests/plugin/ (a simulated broker), the plugin of
# tests/bench/, and tests/property/prop_topic.c, which compares our matcher with libmosquitto's.
set -u
cd "$1" || exit 2
failures=0

fail() {
    echo "$1" >&2
    failures=$((failures + 1))
}

# The includes under the given paths: "file:line" of each.
includes() {
    find "$@" -name build -prune -o -name '*.[ch]' -exec \
        grep -HE '^[[:space:]]*#[[:space:]]*include' {} + 2>/dev/null
}

# Files with an include of $1, an extended regular expression for what stands in "" or <>.
users_of() {
    includes registry plugin admin tests examples | grep -E "[<\"]($1)[>\"]" | cut -d: -f1 | sort -u
}

only_user() {
    users=$(users_of "$1" | grep -vx tests/fault/fault_lmdb.c) # which stands before LMDB
    [ "$users" = "$2" ] || fail "$1 is for $2 alone, but is included by: $users"
}

# Quoted includes in room $1 begin with one of the rooms $2 (a|b).
rooms() {
    strays=$(includes "$1" | grep '"' | grep -vE "\"($2)/[a-z_0-9]+\.h\"")
    [ -z "$strays" ] || fail "$1/ includes something of another room: $strays"
    strays=$(includes "$1" | grep -E '<(registry|plugin|admin|tests)/')
    [ -z "$strays" ] || fail "$1/ includes our own headers in <>: $strays"
}

only_user 'lmdb\.h' registry/store.c
only_user 'sodium(/[a-z_0-9]+)?\.h' registry/crypto.c
strays=$(users_of 'mosquitto[a-z_0-9]*(/[a-z_0-9]+)?\.h' |
    grep -vE '^(plugin/|tests/(broker|plugin)/|tests/bench/yes\.c$|tests/property/prop_topic\.c$)')
[ -z "$strays" ] || fail "Mosquitto's headers are for plugin/ alone, but are included by: $strays"
rooms registry registry
rooms plugin 'plugin|registry'
rooms admin 'admin|registry'
exit $((failures > 0))
