# counts.bash - the parts that count instructions: connect, publish. Sourced by run.
#
# Instructions are those of the whole broker process, all threads. For a CONNECT: from when the
# first clients are connected until the others are too; all connections stay open. For a message:
# three batches less one, on connections that have carried one before.
# shellcheck shell=bash

# These look at each rule and hash each password slowly: fewer events do.
is_heavy() { [ "$1" = files ] || [ "$1" = dynsec ]; }

# count_connects CONTENDER: instructions of one CONNECT, into $counted.
count_connects() {
  local accounts n=$connects
  is_heavy "$1" && n=$connects_heavy
  accounts=$(accounts_of "$1" "$data")
  broker_start "$1" "$data" callgrind || fail "$1 did not start"
  load_begin warm connect --accounts "$accounts" --skip "$first" --clients "$warm" --window 20
  load_await warm connected
  broker_rest
  count_begin
  load_begin more connect --accounts "$accounts" --skip $((first + warm)) --clients "$n" --window 20
  load_await more connected
  broker_rest
  count_end
  load_end more
  load_end warm
  broker_stop
  counted=$(calculate "$counted / $n")
}

# count_batches TIMES: instructions while that many batches go through, into $counted.
count_batches() {
  local i
  count_begin
  for ((i = 0; i < $1; i++)); do
    load_tell publish
  done
  batches=$((batches + $1))
  load_await publish delivered "$batches"
  count_end
}

# count_messages CONTENDER RULES [BESIDE]: instructions of one publish and its delivery. BESIDE is
# a command that runs meanwhile.
count_messages() {
  local n=$messages few batches=0
  is_heavy "$1" && [ "$2" -ge 100 ] && n=$messages_heavy
  broker_start "$1" "$data" callgrind || fail "$1 did not start"
  load_begin publish publish --accounts "$(accounts_of "$1" "$data")" --clients 1 --messages "$n"
  load_await publish subscribed
  count_batches 1
  [ -z "${3-}" ] || beside_begin "$3"
  count_batches 1
  few=$counted
  count_batches 3
  if [ -n "${3-}" ]; then
    beside_end
    changed=$(calculate "1000 * $(value changes "$work/beside.out") / (4 * $n)")
  fi
  load_end publish
  broker_stop
  counted=$(calculate "($counted - $few) / (2 * $n)")
}

# The median of $repeats counts. Keeps the largest spread that it met, in percent. Who knows no
# devices and rules is counted once.
declare -A counted_once
count_median() { # COUNT CONTENDER ...
  local all=() i least most
  counted=${counted_once["$1 $2"]-}
  [ -z "$counted" ] || return 0
  for ((i = 0; i < repeats; i++)); do
    "$@"
    all+=("$counted")
  done
  counted=$(printf '%s\n' "${all[@]}" | median)
  least=$(printf '%s\n' "${all[@]}" | sort -g | head -n 1)
  most=$(printf '%s\n' "${all[@]}" | sort -g | tail -n 1)
  case $2 in none | yes) counted_once["$1 $2"]=$counted ;; esac
  spread=$(calculate "$spread > 100 * ($most - $least) / $counted ? $spread : 100 * ($most - $least) / $counted" 2)
}

# Does dynamic-security start with so many devices? It takes the square of their number.
dynsec_starts() { # DEVICES
  [ "$1" -ge "$dynsec_gave_up" ] && return 1
  data_for dynsec "$1" 3
  start_limit=60 broker_start dynsec "$data" 2>/dev/null || {
    dynsec_gave_up=$1
    return 1
  }
  broker_stop
}

part_connect() {
  local devices contender row cell
  spread=0
  echo "### Instructions for a CONNECT"
  echo
  echo "| devices | no checks | says yes | password_file | dynamic-security | devreg | at most | devreg with presence | at most |"
  echo "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
  for devices in "${sizes[@]}"; do
    row="| $(commas "$devices")"
    for contender in none yes files dynsec devreg devreg-presence; do
      progress "connect: $contender, $devices devices"
      cell=$(bar connect "$contender" "$devices")
      if [ "$contender" = dynsec ] && ! dynsec_starts "$devices"; then
        row+=" | no start in 60 s"
        continue
      fi
      data_for "$contender" "$devices" 3
      count_median count_connects "$contender"
      echo "$contender $devices $counted" >>"$work/plot-devices"
      row+=" | $(commas "$counted")"
      [ "${contender#devreg}" = "$contender" ] || row+=" | $cell"
    done
    echo "$row |"
  done
  echo
  echo "Median of $repeats; the largest spread was $spread %."
  echo
}

part_publish() {
  local rules contender row steady
  spread=0
  echo "### Instructions for a QoS 0 publish and its delivery, ${sizes[0]} devices"
  echo
  echo "| rules | no checks | says yes | acl_file | dynamic-security | devreg | at most |"
  echo "|--:|--:|--:|--:|--:|--:|--:|"
  for rules in "${rule_counts[@]}"; do
    row="| $(commas "$rules")"
    for contender in none yes files dynsec devreg; do
      progress "publish: $contender, $rules rules"
      data_for "$contender" "${sizes[0]}" "$rules"
      count_median count_messages "$contender" "$rules"
      echo "$contender $rules $counted" >>"$work/plot-rules"
      row+=" | $(commas "$counted")"
    done
    echo "$row | $(bar publish devreg "$rules") |"
  done
  echo
  publish_more
  echo "Median of $repeats; the largest spread was $steady %, and $spread % in the last row."
  echo
}

# devreg where more is going on.
publish_more() {
  local largest=${sizes[-1]}
  echo "| devreg, 3 rules | instructions | at most |"
  echo "|---|--:|--:|"
  progress "publish: devreg, $largest devices"
  data_for devreg "$largest" 3
  count_median count_messages devreg 3
  echo "| $(commas "$largest") devices | $(commas "$counted") | $(bar publish devreg size) |"
  data_for devreg "${sizes[0]}" 3
  progress "publish: devreg with presence"
  count_median count_messages devreg-presence 3
  echo "| with presence | $(commas "$counted") | |"
  progress "publish: devreg while devices change"
  steady=$spread spread=0
  count_median count_messages devreg 3 changes
  echo "| while \`devreg\` changes other devices 100 times a second, $changed changes to 1,000 messages | $(commas "$counted") | $(bar publish devreg changes) |"
  echo
}

# ---- a command beside: 100 changes a second

beside_begin() {
  rm -f "$work/beside.end"
  "$1" >"$work/beside.out" 2>&1 &
  beside=$!
  pids+=("$beside")
}

beside_end() {
  : >"$work/beside.end"
  wait "$beside" || fail "what ran beside failed: $(cat "$work/beside.out")"
}

# Changes one device after the other, every 10 ms, until $work/beside.end is there.
changes() {
  local i=0 next=${EPOCHREALTIME/./} wait
  export DEVREG_REGISTRY=$data/registry
  while [ ! -e "$work/beside.end" ]; do
    i=$((i + 1))
    devreg set "$(printf 'd%06d' $((i % 50 + 1)))" --note "change $i"
    next=$((next + 10000))
    wait=$((next - ${EPOCHREALTIME/./}))
    [ $wait -le 0 ] || sleep "$(printf '0.%06d' $wait)"
  done
  echo "changes $i"
}
