# times.bash - the parts that take the time, and the memory. Sourced by run.
#
# Contenders take turns, so that whatever else the machine does meets all of them; the figure is the
# median of the rounds. A ratio is to the broker without checks in the same run.
# shellcheck shell=bash

contenders=(none yes files dynsec devreg devreg-presence)

title_of() { # CONTENDER
  case $1 in
  none) echo "no checks" ;;
  yes) echo "says yes" ;;
  files) echo "password_file + acl_file" ;;
  dynsec) echo "dynamic-security" ;;
  devreg) echo "devreg, presence off" ;;
  devreg-presence) echo "devreg, presence on" ;;
  esac
}

# ratio_table PART UNIT MEASURE DEVICES COUNT: MEASURE CONTENDER sets $took, the seconds in which COUNT
# units happen.
ratio_table() {
  local part=$1 unit=$2 measure=$3 devices=$4 count=$5 contender i base
  for ((i = 0; i < rounds; i++)); do
    for contender in "${contenders[@]}"; do
      progress "$part: $contender, round $((i + 1))"
      data_for "$contender" "$devices" 3
      broker_start "$contender" "$data" || fail "$contender did not start"
      "$measure" "$contender"
      broker_stop
      echo "$took" >>"$work/$part-$contender"
    done
  done
  echo "| | $unit a second | time, no checks = 1 | at most |"
  echo "|---|--:|--:|--:|"
  base=$(median <"$work/$part-none")
  for contender in "${contenders[@]}"; do
    took=$(median <"$work/$part-$contender")
    echo "| $(title_of "$contender") | $(commas "$(calculate "$count / $took")") | $(calculate "$took / $base" 2) | $(bar "$part" "$contender" "$devices") |"
  done
  echo
}

storm_once() {
  load_now connect --accounts "$(accounts_of "$1" "$data")" --skip "$first" --clients "$storm" --window 100
  took=$(value seconds "$work/now.out")
}

part_storm() {
  echo "### $(commas "$storm") devices connect at once"
  echo
  ratio_table storm connects storm_once $((storm + 1)) "$storm"
}

stream_once() {
  load_now publish --accounts "$(accounts_of "$1" "$data")" --clients "$subscribers" --messages "$stream" \
    --qos "$qos" --window 50
  took=$(value seconds "$work/now.out")
}

part_messages() {
  local kind subscribers qos
  for kind in "1 0" "10 0" "1 1"; do
    read -r subscribers qos <<<"$kind"
    echo "### QoS $qos messages to $subscribers subscriber$([ "$subscribers" = 1 ] || echo s)"
    echo
    ratio_table "messages-$subscribers-$qos" messages stream_once "${sizes[0]}" "$stream"
  done
}

churn_once() {
  load_now churn --accounts "$(accounts_of "$1" "$data")" --skip "$first" --clients 50 --messages "$churn" \
    --window 20
  took=$(value seconds "$work/now.out")
}

part_churn() {
  echo "### Connect and disconnect, over and over, 20 at a time"
  echo
  ratio_table churn connects churn_once "${sizes[0]}" "$churn"
}

# ---- memory over many connects

part_soak() {
  local contender
  echo "### Anonymous memory of the broker over $(commas "$soak") connects, in kB"
  echo
  echo "| | at first | after a tenth | at the end |"
  echo "|---|--:|--:|--:|"
  for contender in none devreg-presence; do
    progress "soak: $contender"
    data_for "$contender" "${sizes[0]}" 3
    soak_row
  done
  echo
}

soak_row() {
  local row connects
  broker_start "$contender" "$data" || fail "$contender did not start"
  row="| $(title_of "$contender") | $(commas "$(broker_memory)")"
  for connects in $((soak / 10)) $((soak - soak / 10)); do
    load_now churn --accounts "$(accounts_of "$contender" "$data")" --skip "$first" --clients 50 \
      --messages "$connects" --window 20
    broker_rest
    row+=" | $(commas "$(broker_memory)")"
  done
  broker_stop
  echo "$row |"
}

# ---- start

# start_once CONTENDER: sets $took, and $memory in kB.
start_once() {
  start_limit=60 broker_start "$1" "$data" 2>/dev/null || return 1
  took=$(calculate "$ready - $started" 3)
  memory=$(broker_memory)
  broker_stop
}

part_start() {
  local devices contender i bare=0
  echo "### Start: seconds until the first client is in, and anonymous memory above the bare broker's"
  echo
  echo "| devices | | seconds | at most | MB | at most |"
  echo "|--:|---|--:|--:|--:|--:|"
  for devices in "${sizes[@]}"; do
    for contender in none files dynsec devreg devreg-presence; do
      progress "start: $contender, $devices devices"
      if [ "$contender" = dynsec ] && ! dynsec_starts "$devices"; then
        echo "| $(commas "$devices") | $(title_of dynsec) | no start in 60 s | | | |"
        continue
      fi
      data_for "$contender" "$devices" 3
      start_row
    done
  done
  echo
}

start_row() {
  rm -f "$work/start"
  for ((i = 0; i < rounds; i++)); do
    start_once "$contender" || fail "$contender did not start"
    echo "$took" >>"$work/start"
  done
  [ "$contender" != none ] || bare=$memory
  echo "| $(commas "$devices") | $(title_of "$contender") | $(median <"$work/start") |" \
    "$(bar start "$contender" "$devices") | $(calculate "($memory - $bare) / 1024" 1) |" \
    "$(bar memory "$contender" "$devices") |"
}

# ---- the longest pause of a publisher while something happens

# pause_while CONTENDER COMMAND ...: prints "median p99.9 longest", in microseconds. $before_pause is
# what runs before the publisher begins.
before_pause=:
pause_while() {
  local contender=$1
  shift
  broker_start "$contender" "$data" || fail "$contender did not start"
  "$before_pause"
  grep '^p000000,' "$(accounts_of "$contender" "$data")" >"$work/pulse"
  load_begin pause pause --accounts "$work/pulse"
  load_await pause subscribed
  "$@"
  load_end pause
  [ "$before_pause" = : ] || load_end listen
  broker_stop
  echo "$(value median_us "$work/pause.out") $(value p999_us "$work/pause.out")" \
    "$(value longest_us "$work/pause.out")" >>"$work/pauses"
}

# pause_row TITLE BAR CONTENDER COMMAND ...: the median of the rounds.
pause_row() {
  local title=$1 bar=$2 i column row
  shift 2
  rm -f "$work/pauses"
  for ((i = 0; i < rounds; i++)); do
    progress "$title, round $((i + 1))"
    pause_while "$@"
  done
  row="| $title"
  for column in 1 2 3; do
    row+=" | $(commas "$(awk -v column=$column '{ print $column }' "$work/pauses" | median)")"
  done
  echo "$row | $bar |"
}

change_one_by_one() {
  local i
  for ((i = 1; i <= changes; i++)); do
    "$load" run -- "$program" set "$(printf 'd%06d' "$i")" --note "change $i of $BASHPID" >>"$work/change.out"
  done
}

wait_as_long() { sleep "$quiet_seconds"; }

part_change() {
  local devices=${sizes[-1]} seconds
  data_for devreg "$devices" 3
  data_for none "$devices" 3
  export DEVREG_REGISTRY=$data/registry
  rm -f "$work/change.out"
  echo "### What a publisher waits while \`devreg\` changes devices, $(commas "$devices") devices, in microseconds"
  echo
  echo "| | median | 99.9 % | longest | at most |"
  echo "|---|--:|--:|--:|--:|"
  pause_row "no checks, nothing changes" "" none wait_as_long
  pause_row "devreg, nothing changes" "" devreg-presence wait_as_long
  pause_row "devreg, $changes changes" "$(bar pause devreg "$devices")" devreg-presence change_one_by_one
  echo
  seconds=$(awk '$1 == "seconds" { print $2 * 1000 }' "$work/change.out" | median)
  echo "| one \`devreg set\` with $(commas "$devices") devices | milliseconds | at most |"
  echo "|---|--:|--:|"
  echo "| median | $(calculate "$seconds" 1) | $(bar change devreg "$devices") |"
  seconds=$(awk '$1 == "seconds" { print $2 * 1000 }' "$work/change.out" | sort -g | tail -n 1)
  echo "| longest | $(calculate "$seconds" 1) | |"
  echo
}

# ---- a start after a crash

# The presence store as a broker leaves it that was killed while these devices were online: d000001
# and those that follow.
make_online() { # COUNT
  [ ! -d "$data/online" ] || return 0
  fresh_presence "$data"
  "$tools/bench_online" "$data/registry" 1 "$1"
  mv "$data/registry/presence" "$data/online"
}

# Somebody who is handed all presence: with each message there is one to deliver. What counts begins
# with BEGIN.
listen_to() { # CONTENDER FILTER BEGIN
  grep '^w000001,' "$(accounts_of "$1" "$data")" >"$work/watcher"
  load_begin listen listen --accounts "$work/watcher" --topic "$2" --messages "$offline" --begin "$3"
  load_await listen subscribed
}
listen_to_presence() { listen_to devreg 'devreg/presence/#' '{'; }
listen_to_plain() { listen_to devreg 'devreg/presence/#' offline; }
listen_to_client() { listen_to none 'presence/#' ''; }

wait_for_all() { load_await listen came; }

client_retains() {
  grep '^d000000,' "$data/accounts" >"$work/retainer"
  "$load" retain --at "$port" --accounts "$work/retainer" --topic presence --messages "$offline" >/dev/null
  wait_for_all
}

# mosquitto.db with a retained message for each of them, in another format than what is told later.
make_saved() {
  [ ! -f "$data/saved.db" ] || return 0
  presence_before=online format=plain broker_start devreg-saved "$data" || fail "devreg-saved did not start"
  listen_to_plain
  wait_for_all
  load_end listen
  broker_stop
  mv "$work/mosquitto.db" "$data/saved.db"
}

part_restart() {
  local devices=${sizes[-1]} offline at_most
  [ "$devices" -le 100000 ] || devices=100000
  offline=$((devices - 1))
  at_most=$(bar restart devreg "$devices")
  data_for none "$devices" 3
  data_for devreg "$devices" 3
  export DEVREG_REGISTRY=$data/registry
  make_online "$offline"
  devreg allow w000001 subscribe 'devreg/presence/#' >/dev/null
  make_saved
  echo "### What a publisher waits after a crash while $(commas "$offline") devices are told offline, in microseconds"
  echo
  echo "| | median | 99.9 % | longest | at most |"
  echo "|---|--:|--:|--:|--:|"
  before_pause=listen_to_presence pause_row "nobody was online" "" devreg-presence wait_as_long
  before_pause=listen_to_client pause_row "no checks, a client publishes as many retained messages" "" none client_retains
  presence_before=online before_pause=listen_to_presence \
    pause_row "all were online, and Mosquitto has saved retained messages" "$at_most" devreg-saved wait_for_all
  presence_before=online before_pause=listen_to_presence \
    pause_row "all were online, and Mosquitto has saved nothing" "$at_most" devreg-presence wait_for_all
  devreg unset w000001 subscribe 'devreg/presence/#' >/dev/null
  echo
  echo "All were told within $(calculate "$(value seconds "$work/listen.out")" 1) s."
  echo
}

# ---- people

make_people() {
  local i
  [ ! -f "$data/people" ] || return 0
  for ((i = 1; i <= people; i++)); do
    devreg add "person-$i" --no-role --password-file - <<<"password of $i" >/dev/null 2>&1
    echo "person-$i,password of $i" >>"$data/people"
  done
}

people_log_in() {
  "$load" passwords --at "$port" --accounts "$data/people" --clients "$people" --patience 300 \
    >>"$work/people.out" || fail "people were not let in"
}

part_passwords() {
  local seconds tries
  data_for devreg "${sizes[0]}" 3
  export DEVREG_REGISTRY=$data/registry
  progress "passwords: adding $people people"
  make_people
  rm -f "$work/people.out"
  echo "### What a publisher waits while $people people log in with Argon2id passwords, in microseconds"
  echo
  echo "| | median | 99.9 % | longest | at most |"
  echo "|---|--:|--:|--:|--:|"
  pause_row "nobody logs in" "" devreg-presence wait_as_long
  pause_row "$people people log in" "" devreg-presence people_log_in
  echo
  seconds=$(awk '$1 == "seconds" { print $2 }' "$work/people.out" | median)
  tries=$(awk '$1 == "tries" { print $2 }' "$work/people.out" | median)
  echo "They were all in after $(calculate "$seconds" 1) s and $tries tries."
  echo
}

# ---- the registry itself

part_add() {
  local devices=${sizes[-1]} bytes
  progress "add: $devices devices"
  data_for devreg "$devices" 3
  bytes=$(stat -c %s "$data/registry/data.mdb")
  echo "### \`devreg add --from\` of $(commas "$devices") devices with keys"
  echo
  echo "| | | at most |"
  echo "|---|--:|--:|"
  echo "| seconds | $(calculate "$(value seconds "$data/add.out")" 1) | $(bar add-seconds devreg "$devices") |"
  echo "| peak memory, MB | $(calculate "$(value peak_kb "$data/add.out") / 1024") | $(bar add-memory devreg "$devices") |"
  echo "| registry file for each device, bytes | $(calculate "$bytes / $devices") | $(bar add-bytes devreg "$devices") |"
  echo
}
