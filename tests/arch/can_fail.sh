#!/bin/sh
# can_fail.sh CC NM: each check of this directory passes what is right and fails what is wrong.
set -u
here=$(dirname "$0")
cc=$1 nm=$2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
failures=0

expect() { # expect pass|fail WHAT COMMAND...
    wanted=$1 what=$2
    shift 2
    if "$@" 2>"$dir/said"; then got=pass; else got=fail; fi
    [ "$got" = "$wanted" ] && return
    echo "$what: $got instead of $wanted: $(cat "$dir/said")" >&2
    failures=$((failures + 1))
}

# A small tree in which all is right, and then one wrong line in one file.
tree() {
    rm -rf "$dir/tree"
    for room in registry plugin admin tests/broker tests/property tests/unit examples; do
        mkdir -p "$dir/tree/$room"
    done
    echo '#include <lmdb.h>' >"$dir/tree/registry/store.c"
    echo '#include <sodium.h>' >"$dir/tree/registry/crypto.c"
    printf '#include <mosquitto_plugin.h>\n#include "plugin/a.h"\n#include "registry/store.h"\n' \
        >"$dir/tree/plugin/a.c"
    printf '#include <cjson/cJSON.h>\n#include "admin/b.h"\n' >"$dir/tree/admin/b.c"
    echo '#include <mosquitto.h>' >"$dir/tree/tests/property/prop_topic.c"
    echo '#include <mosquitto_broker.h>' >"$dir/tree/tests/broker/c.c"
}

tree_with() { # tree_with FILE LINE
    tree
    echo "$2" >>"$dir/tree/$1"
    expect fail "$2 in $1" sh "$here/includes.sh" "$dir/tree"
}

tree
expect pass 'a clean tree' sh "$here/includes.sh" "$dir/tree"
tree_with registry/store_create.c '#include <lmdb.h>'
tree_with tests/unit/a.c '# include "lmdb.h"'
tree_with plugin/a.c '#include <sodium.h>'
tree_with admin/b.c '#include <sodium/utils.h>'
tree_with registry/topic.c '#include <mosquitto.h>'
tree_with admin/b.h '#include <mosquitto/broker.h>'
tree_with tests/unit/a.c '#include <mosquitto_plugin.h>'
tree_with registry/topic.h '#include "plugin/a.h"'
tree_with registry/topic.h '#include "admin/b.h"'
tree_with plugin/a.h '#include "admin/b.h"'
tree_with admin/b.h '#include "plugin/a.h"'
tree_with registry/topic.c '#include "topic.h"'
tree_with plugin/a.c '#include <registry/topic.h>'
tree
: >"$dir/tree/registry/store.c"
expect fail 'nobody includes lmdb.h' sh "$here/includes.sh" "$dir/tree"

library() { # library CODE...: builds $dir/a.so
    echo "$*" >"$dir/a.c"
    "$cc" -w -shared -fPIC -o "$dir/a.so" "$dir/a.c" || exit 2
}

entries='int mosquitto_plugin_version(void) { return 5; }
int mosquitto_plugin_init(void) { return 0; } int mosquitto_plugin_cleanup(void) { return 0; }'
library "$entries"
expect pass 'three entry points' sh "$here/exports.sh" "$nm" "$dir/a.so"
library "$entries int db;"
expect fail 'one name more' sh "$here/exports.sh" "$nm" "$dir/a.so"
library 'int mosquitto_plugin_version(void) { return 5; }'
expect fail 'an entry point missing' sh "$here/exports.sh" "$nm" "$dir/a.so"
expect fail 'no library' sh "$here/exports.sh" "$nm" "$dir/none.so"

library 'void mosquitto_log_printf(void); void f(void) { mosquitto_log_printf(); }'
expect pass 'a portable function' sh "$here/portable.sh" "$nm" "$dir/a.so"
library 'void mosquitto_client_port(void); void f(void) { mosquitto_client_port(); }'
expect fail 'a function of 2.1' sh "$here/portable.sh" "$nm" "$dir/a.so"
library '__attribute__((weak)) void mosquitto_client_port(void);
void f(void) { if (mosquitto_client_port) mosquitto_client_port(); }'
expect pass 'a weak function of 2.1' sh "$here/portable.sh" "$nm" "$dir/a.so"
expect fail 'no library' sh "$here/portable.sh" "$nm" "$dir/none.so"

object() { # object CODE...: builds $dir/a.a
    echo "$*" >"$dir/a.c"
    "$cc" -w -O0 -c -o "$dir/a.o" "$dir/a.c" || exit 2
    rm -f "$dir/a.a"
    ar rcs "$dir/a.a" "$dir/a.o" || exit 2
}

object 'int own(void) { return 1; } void *malloc(unsigned long);
void *f(void) { return malloc((unsigned long)own()); }'
expect pass 'memory' sh "$here/pure.sh" "$nm" "$dir/a.a"
for call in time printf open clock_gettime getenv fwrite puts exit; do
    object "int $call(); int f(void) { return $call(); }"
    expect fail "a call of $call" sh "$here/pure.sh" "$nm" "$dir/a.a"
done
expect fail 'no archive' sh "$here/pure.sh" "$nm" "$dir/none.a"
exit $((failures > 0))
