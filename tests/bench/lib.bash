# lib.bash - brokers, loads and counters for the benchmark. Sourced by run.
#
#   broker_start CONTENDER DIR [callgrind]   sets $broker (a pid) and $port
#   load_begin NAME VERB ...; load_await NAME WORD; load_tell NAME; load_end NAME
#   count_begin; ...; count_end              sets $counted, in instructions
# shellcheck shell=bash

fail() {
  echo "bench: $*" >&2
  exit 1
}

progress() { echo "bench: $*" >&2; }

# The median of the numbers on stdin.
median() { sort -g | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'; }

calculate() { awk "BEGIN { printf(\"%.${2:-0}f\", ($1)) }"; }

commas() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"; }

# value NAME FILE: the last `NAME value` line that a load printed.
value() { awk -v name="$1" '$1 == name { found = $2 } END { print found }' "$2"; }

# ---- the broker

broker='' port=''

free_port() {
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  fail "no free port"
}

# What all contenders have in common.
conf_common() {
  cat <<END
log_type error
log_dest stderr
persistence false
sys_interval 0
max_queued_messages 0
max_inflight_messages 0
max_connections -1
set_tcp_nodelay true
END
  [ "$(id -u)" != 0 ] || echo "user root"
}

conf_of() { # CONTENDER DIR
  case $1 in
  none) echo "allow_anonymous true" ;;
  yes) echo "plugin $tools/bench_yes.so" ;;
  files) printf 'allow_anonymous false\npassword_file %s\nacl_file %s\n' "$2/passwords" "$2/acl" ;;
  dynsec) printf 'allow_anonymous false\nplugin %s\nplugin_opt_config_file %s\n' "$dynsec" "$2/dynsec.json" ;;
  devreg*)
    printf 'plugin %s\nplugin_opt_registry %s\n' "$plugin" "$2/registry"
    [ "$1" != devreg ] || echo "plugin_opt_presence off"
    [ "$1" != devreg-saved ] || printf 'plugin_opt_presence_format %s\npersistence true\npersistence_location %s/\n' \
      "${format:-json}" "$work"
    ;;
  esac
}

# Each broker begins with a presence store that knows nobody, or with the copy $presence_before.
presence_before=presence
fresh_presence() { # DIR
  rm -rf "$1/registry/presence"
  cp -a "$1/$presence_before" "$1/registry/presence"
}

# With devreg-saved also with mosquitto.db, if there is one.
fresh_saved() { # DIR
  rm -f "$work/mosquitto.db"
  [ ! -f "$1/saved.db" ] || cp "$1/saved.db" "$work/mosquitto.db"
}

broker_start() { # CONTENDER DIR [callgrind]
  local command=("$mosquitto")
  free_port
  { conf_common && conf_of "$1" "$2" && echo "listener $port 127.0.0.1"; } >"$work/mosquitto.conf"
  [ "${1#devreg}" = "$1" ] || fresh_presence "$2"
  [ "$1" != devreg-saved ] || fresh_saved "$2"
  rm -f "$work"/callgrind.out*
  if [ -n "${3-}" ]; then
    command=(valgrind -q --tool=callgrind --instr-atstart=no --trace-children=yes
      --vgdb-prefix="$work/vgdb" --callgrind-out-file="$work/callgrind.out" "$mosquitto")
  fi
  started=$EPOCHREALTIME
  "${command[@]}" -c "$work/mosquitto.conf" 2>"$work/broker.err" </dev/null &
  broker=$!
  pids+=("$broker")
  broker_await "$(accounts_of "$1" "$2")" "${start_limit:-600}" || return 1
  ready=$EPOCHREALTIME
}

broker_await() { # ACCOUNTS LIMIT
  "$load" ready --at "$port" --pid "$broker" --accounts "$1" --patience "$2" >"$work/ready.out" \
    2>"$work/ready.err" && return
  cat "$work/ready.err" "$work/broker.err" >&2
  broker_kill
  return 1
}

broker_kill() {
  kill -KILL "$broker" 2>/dev/null || true
  wait "$broker" 2>/dev/null || true
  broker=
}

broker_stop() {
  local status=0
  kill "$broker" 2>/dev/null || fail "the broker has ended: $(cat "$work/broker.err")"
  wait "$broker" || status=$?
  [ $status = 0 ] || fail "the broker ended with status $status: $(cat "$work/broker.err")"
  broker=
}

# Anonymous memory, in kB.
broker_memory() { awk '/^RssAnon/ { print $2 }' "/proc/$broker/status"; }

broker_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$broker/stat"; }

# Waits until the broker has used no time for $rest tenths of a second: what it does behind is done
# too.
broker_rest() {
  local before=none after still=0
  while [ $still -lt "$rest" ]; do
    after=$(broker_ticks)
    if [ "$after" = "$before" ]; then still=$((still + 1)); else still=0; fi
    before=$after
    sleep 0.1
  done
}

# ---- instructions

valgrind_tell() {
  vgdb --vgdb-prefix="$work/vgdb" --max-invoke-ms=5 --pid="$broker" "$@" >"$work/vgdb.out" 2>&1 ||
    fail "valgrind did not take '$*': $(cat "$work/vgdb.out" "$work/broker.err")"
}

# Until the first count_begin callgrind lets the broker run without counting, which is much faster.
count_begin() {
  rm -f "$work"/callgrind.out*
  valgrind_tell instrumentation on -c zero
}

count_end() {
  valgrind_tell dump
  counted=$(awk '/^totals:/ { print $2 }' "$work"/callgrind.out.*)
  [ "${counted:-0}" -gt 0 ] || fail "valgrind counted nothing"
}

# ---- loads that go on beside

declare -A load_pid load_fd

load_begin() { # NAME VERB OPTION ...
  local name=$1 fd
  shift
  rm -f "$work/$name.in"
  mkfifo "$work/$name.in"
  "$load" "$1" --at "$port" "${@:2}" <"$work/$name.in" >"$work/$name.out" &
  load_pid[$name]=$!
  pids+=($!)
  exec {fd}>"$work/$name.in"
  load_fd[$name]=$fd
}

load_await() { # NAME WORD [TIMES]
  until [ "$(grep -c "^$2 " "$work/$1.out")" -ge "${3:-1}" ]; do
    kill -0 "${load_pid[$1]}" 2>/dev/null || fail "the load '$1' has ended early"
    sleep 0.01
  done
}

load_tell() { echo "${2:-go}" >&"${load_fd[$1]}"; }

load_end() { # NAME
  local fd=${load_fd[$1]}
  load_tell "$1" end
  exec {fd}>&-
  wait "${load_pid[$1]}" || fail "the load '$1' failed"
}

# load_now VERB OPTION ...: one that is waited for, so that a signal can still end the script. What
# it printed is in $work/now.out.
load_now() {
  "$load" "$1" --at "$port" "${@:2}" --then-exit </dev/null >"$work/now.out" &
  pids+=($!)
  wait $! || fail "the load '$1' failed: $(cat "$work/broker.err")"
}
