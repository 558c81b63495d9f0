#!/bin/sh
# advice.sh DIRECTORY: what devreg says last, of each error in the golden cases below it, says what
# to do. (What it says before that, names one bad line after the other.)
#
# Whether it is good advice is for people to judge; this finds the errors that have none.
set -u
cd "$1" || exit 2
words='see|use|write|name|make|run|try|give|choose|remove|take|leave|restore|end|set|chmod|rename|mend|free|raise'
words="$words"'|keep|wait|shorten|open|upgrade|put|create|add|enable|unset|have|let|copy|correct|start|answer|build'
advice="'devreg |did you mean|lists them|--help|which verb|[:;,] (then |else |or )?($words)( |\$)| or ($words) "
# What something has to be like is advice, too.
advice="$advice|it (has|needs) [0-9]+ |a (name|value|pattern) (is|has)|has to be|goes with|needs --|is no filter for a rule:"
awk '
    function check() { if (said) print FILENAME ": " said; said = "" }
    FNR == 1 || /^\$ / { check() }
    /^devreg: / && !/^devreg: warning: / { said = $0 }
    ENDFILE { check() }
' */err | grep -vE "$advice" && exit 1
exit 0
