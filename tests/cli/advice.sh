#!/bin/sh
# advice.sh DIRECTORY: what devreg says last, of each error in the golden cases below it, says what
# to do. (What it says before that, names one bad line after the other.)
#
# Whether it is good advice is for people to judge; this finds the errors that have none.
set -u
cd "$1" || exit 2
words='see|use|write|name|make|run|try|give|choose|remove|take|leave|restore|end|set|chmod|rename|mend|free|raise'
words="$words"'|keep|wait|shorten|open|upgrade|put|create|add|enable|unset|have|let|copy|correct|change|start|answer|build|apply'
advice="'devreg |did you mean|lists them|--help|which verb|Write --|[:;,] (then |else |or )?($words|--[a-z-]+)( |\$)"
# What something has to be like is advice, too.
advice="$advice| or ($words) |it (has|needs) (the|a|[0-9]+) |a (name|value|pattern) (is|has)|has to (be|get)|goes with"
advice="$advice|needs --|is no filter for a rule:"
last_words() {
    awk '
        function check() { if (said) print file ": " said; said = "" }
        FNR == 1 || /^\$ / { check(); file = FILENAME }
        /^(Added|Would add) / { said = "" }
        /^devreg: / && !/^devreg: (warning: |[^ ]+:[0-9]+:)/ { said = $0 }
        END { check() }
    ' */err
}
found=$(last_words | grep -vE "$advice")
[ -z "$found" ] || { printf 'without advice:\n%s\n' "$found"; exit 1; }
# It looked at something.
[ "$(last_words | wc -l)" -gt 100 ]
