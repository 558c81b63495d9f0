#!/bin/sh
# exports.sh NM PLUGIN: devreg.so exports its three entry points and nothing else. Mosquitto 2.0 loads
# plugins RTLD_GLOBAL, so any other name could meet one of the broker's.
set -u
expected='mosquitto_plugin_cleanup
mosquitto_plugin_init
mosquitto_plugin_version'
symbols=$("$1" -D --defined-only "$2") || exit 2
found=$(echo "$symbols" | awk '{ print $NF }' | grep -vE '^__?(asan|ubsan|odr_asan|lsan)' | sort)
[ "$found" = "$expected" ] && exit 0
echo "$2 exports:" >&2
echo "$found" >&2
exit 1
