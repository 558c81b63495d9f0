#!/bin/sh
# man_lint.sh PAGE...: what mandoc, groff and man-db have to say of them, which is nothing.
set -u
for tool in mandoc groff man; do
    command -v $tool >/dev/null || exit 77
done
result=0
quiet() {
    said=$("$@" 2>&1 >/dev/null) || result=1
    [ -z "$said" ] || { echo "$*: $said" >&2; result=1; }
}
lint() {
    said=$(mandoc -T lint -W style "$1") || result=1
    [ -z "$said" ] || { echo "$said" >&2; result=1; }
}
for page in "$@"; do
    lint "$page"
    quiet groff -ww -man -Tutf8 "$page"
    # As lintian does.
    quiet env LC_ALL=C.UTF-8 MANROFFSEQ= MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page"
done
exit $result
