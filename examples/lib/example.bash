# example.bash - what the examples' `run` scripts share. Sourced, by a script in the example's folder:
#
#   . "$(dirname "$0")/../lib/example.bash"
#   example_begin "$@"                    options; builds devreg or takes what is installed
#   example_install python3-paho-mqtt     further packages, in a checkout
#   recipe devices.sh                     the devreg commands, shown and run
#   start_broker mosquitto.conf           on free ports of this machine alone
#   ...
#   example_end                           with --stay: waits for Ctrl-C
#
# Everything lives in $work, which goes away at the end together with all that was started.
# shellcheck shell=bash
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
stay='' work='' broker=''
declare -A port # port[1883] is the port that stands for 1883 here
export PATH=$PATH:/usr/sbin PYTHONDONTWRITEBYTECODE=1

step() { printf '\n== %s\n' "$*"; }
fail() {
  echo "$0: $*" >&2
  [ -z "$work" ] || tail -n 20 "$work"/*.log >&2 2>/dev/null || true
  exit 1
}

example_finish() {
  local status=$? pid
  trap - EXIT
  # Only what still runs: a number that was ours may be somebody else's by now.
  for pid in $(jobs -pr); do
    kill "$pid" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$work"
  exit $status
}

example_begin() {
  case "${1-}:$#" in
  :0) ;;
  --stay:1) stay=yes ;;
  *)
    echo "usage: $0 [--stay]" >&2
    exit 2
    ;;
  esac
  local plugin=/usr/lib/devreg.so tool
  if [ -f "$root/CMakeLists.txt" ]; then
    "$root/tools/install-dependencies" run
    build=$root/build/quickstart
    echo "Building in ${build#"$root"/} ..."
    cmake -S "$root" -B "$build" -G Ninja -DDEVREG_TESTS=OFF >/dev/null
    cmake --build "$build" >/dev/null
    PATH=$build/admin:$PATH
    plugin=$build/plugin/devreg.so
  else
    for tool in devreg mosquitto mosquitto_pub mosquitto_sub; do
      command -v $tool >/dev/null || fail "there is no $tool: install mosquitto, mosquitto-clients and devreg"
    done
  fi
  # The broker runs as its own user where we are root, as in Debian: it must be able to reach its files.
  work=$(mktemp -d "/tmp/devreg-$(basename "$here").XXXXXX")
  trap example_finish EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  chmod 755 "$work"
  mkdir -m 700 "$work/keys"
  cp "$plugin" "$work/devreg.so"
  export DEVREG_REGISTRY=$work/registry KEYS=$work/keys
}

# In a checkout what is missing is installed; elsewhere it has to be there.
example_install() {
  [ ! -f "$root/CMakeLists.txt" ] || "$root/tools/install-dependencies" run "$@"
}

# A command as a person types it, then what it says.
show() {
  local word line='$'
  for word in "$@"; do
    case $word in
    *[!A-Za-z0-9_./:=@%,-]*) line+=" '$word'" ;;
    *) line+=" $word" ;;
    esac
  done
  printf '%s\n' "$line"
  "$@"
}

# The commands of the example, one by one: comments as they stand, and nothing of a key. They run in
# $work, where keys/ is for the keys.
recipe() {
  grep -v -E '^(#!|set -)' "$here/$1"
  (cd "$work" && bash -euo pipefail "$here/$1" >recipe.log 2>&1) || fail "$1 failed"
}

# Is it so within a minute and a half (of a busy machine)? await COMMAND ...
await() {
  local end=$((SECONDS + 90))
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

# Runs a command in the background until the end: its output goes to $work/NAME.log, its pid to $started.
background() { # NAME COMMAND ...
  : >>"$work/$1.log"
  "${@:2}" >>"$work/$1.log" 2>&1 &
  started=$!
}

# Waits for a line of NAME's output, and shows it.
seen() { # NAME REGEX
  await grep -q -E -- "$2" "$work/$1.log" || fail "$1 did not say: $2"
  echo "$1: $(grep -E -m 1 -- "$2" "$work/$1.log")"
}

# A certificate authority and the broker's certificate, in $work/certs.
make_certificates() {
  local certs=$work/certs
  mkdir -p "$certs"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=An example CA' \
    -keyout "$work/ca.key" -out "$certs/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout "$certs/server.key" -out "$work/server.csr" 2>/dev/null
  openssl x509 -req -in "$work/server.csr" -CA "$certs/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$certs/server.crt" 2>/dev/null
  chmod 644 "$certs"/* # the broker's user reads them; they live for this run
}

# The example's mosquitto.conf as it is used here: our plugin and registry, free ports on loopback.
place_conf() { # FILE
  local line number
  while IFS= read -r line; do
    case $line in
    'plugin /usr/lib/devreg.so')
      printf 'plugin %s/devreg.so\nplugin_opt_registry %s\n' "$work" "$DEVREG_REGISTRY"
      ;;
    'listener '*)
      read -r _ number _ <<<"$line"
      echo "listener ${port[$number]} 127.0.0.1"
      ;;
    'http_dir '*) echo "http_dir $work/www" ;; # a page and its libraries, put there by run
    *)
      line=${line//\/etc\/mosquitto\/certs/$work\/certs}
      line=${line//\/usr\/share\/doc\/devreg\/examples/$root\/examples}
      echo "${line//\/var\/lib\/mosquitto/$work\/state}"
      ;;
    esac
  done <"$here/$1" >"$work/mosquitto.conf"
  # What Debian's /etc/mosquitto/mosquitto.conf says, which reads the folder conf.d.
  mkdir -p "$work/conf.d"
  ln -sf ../mosquitto.conf "$work/conf.d/devreg.conf"
  {
    grep -q '^persistence' "$work/mosquitto.conf" ||
      printf 'persistence true\npersistence_location %s/state/\n' "$work"
    echo "include_dir $work/conf.d"
  } >"$work/debian.conf"
}

run_broker() {
  mosquitto -c "$work/debian.conf" >>"$work/broker.log" 2>&1 &
  broker=$!
  local end=$((SECONDS + 90))
  while [ $SECONDS -lt $end ] && kill -0 $broker 2>/dev/null; do
    [ "$(grep -c ' running$' "$work/broker.log")" -gt "$running" ] && running=$((running + 1)) && return
    sleep 0.05
  done
  wait $broker 2>/dev/null || true
  broker=''
  return 1
}
running=0

start_broker() { # FILE
  local number try
  mkdir -p "$work/state"
  [ "$(id -u)" != 0 ] || chown mosquitto "$work/state"
  : >"$work/broker.log"
  for try in $(seq 20); do
    for number in $(awk '$1 == "listener" { print $2 }' "$here/$1"); do
      port[$number]=$(shuf -i 20000-60000 -n 1)
    done
    place_conf "$1"
    run_broker && return
  done
  fail "the broker does not start"
}

stop_broker() { # [SIGNAL]
  kill "${1--TERM}" $broker
  wait $broker 2>/dev/null || true
  broker=''
}

example_end() { # what to try with --stay, on stdin
  if [ -n "$stay" ]; then
    step "All of it is still running: Ctrl-C ends it and removes $work"
    echo "export DEVREG_REGISTRY=$DEVREG_REGISTRY PATH=${build:+$build/admin:}\$PATH"
    sed "s|^|  |"
    wait $broker
  fi
  step "Done. Nothing is left behind${build:+ but build/}."
}
build=''
