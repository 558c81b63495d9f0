# Completion of devreg(1) for bash. It asks devreg itself, so it knows what that version knows.

_devreg() {
  local IFS=$' \t\n' rest=${COMP_LINE:0:COMP_POINT} trimmed piece breaks='' i
  local current before value candidate reply
  local -a words=()
  # bash parts words at ':', '=' and '@', which stand in ids, options and roles: join them again.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=${rest#"${rest%%[![:blank:]]*}"}
    piece=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || piece=$trimmed
    if ((i == 0)) || [[ $trimmed != "$rest" ]]; then
      words+=("$piece")
    else
      words[${#words[@]} - 1]+=$piece
    fi
    rest=${trimmed#"$piece"}
  done
  for ((i = 0; i < ${#words[@]}; i++)); do
    words[i]=${words[i]//[\"\'\\]/}
    words[i]=${words[i]/#\~\//$HOME/}
  done
  current=${words[${#words[@]} - 1]}
  # Readline puts a candidate in the place of what stands behind the last such character, and '@'
  # too, at which it thinks of the names of hosts.
  for i in : = @; do
    [[ $COMP_WORDBREAKS != *"$i"* ]] || breaks+=$i
  done
  before=
  [[ -z $breaks ]] || before=${current%"${current##*[$breaks]}"}
  before=${before%@}

  COMPREPLY=()
  value=$current
  [[ $current != --*=* ]] || value=${current#*=}
  while IFS=$'\t' read -r candidate _; do
    case $candidate in
    :files) i=-f ;;
    :directories) i=-d ;;
    :users) i=-u ;;
    *)
      [[ $candidate != *= ]] || compopt -o nospace 2>/dev/null
      COMPREPLY+=("${candidate#"$before"}")
      continue
      ;;
    esac
    [[ $i == -u ]] || compopt -o filenames 2>/dev/null
    while read -r reply; do
      reply=${current%"$value"}$reply
      COMPREPLY+=("${reply#"$before"}")
    done < <(compgen "$i" -- "$value")
  done < <(command devreg complete -- "${words[@]:1}" 2>/dev/null)
} &&
  complete -F _devreg devreg
