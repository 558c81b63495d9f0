#!/bin/sh
# run.sh CASE DEVREG - runs one golden case and compares what it says with what it should say.
#
# CASE/cmd is a piece of shell that runs in an empty directory, with a fresh registry in
# $DEVREG_REGISTRY and `devreg` on the path. CASE/out, CASE/err and CASE/rc are what it has to write
# to stdout and stderr, and its exit status, after what differs from run to run is masked. With
# DEVREG_GOLDEN_UPDATE set they are written and not compared: then read the difference.
#
# In a case:
#   try ARG...        runs devreg, with "$ devreg ARG..." before what it says on both streams, and
#                     "[n]" behind it for an exit status n that is not 0. A command that fails must
#                     leave the registry as it was, byte for byte.
#   try_as TITLE ARG...   the same for arguments that do not belong into a golden file
set -u
case_dir=$1
devreg=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/devreg-cli.XXXXXX") || exit 3
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/bin" "$work/cwd" "$work/home" || exit 3
ln -s "$devreg" "$work/bin/devreg" || exit 3

unset SUDO_USER XDG_CONFIG_HOME
PATH=$work/bin:$PATH
HOME=$work/home
LC_ALL=C
TZ=Asia/Kolkata # every time in the output is UTC all the same
DEVREG_REGISTRY=$work/registry
export PATH HOME LC_ALL TZ DEVREG_REGISTRY
user=$(id -un)
umask 022

registry_state() {
    cksum "$DEVREG_REGISTRY/data.mdb" 2>&1
}

try_as() {
    printf '$ devreg %s\n' "$1"
    printf '$ devreg %s\n' "$1" >&2
    shift
    before=$(registry_state)
    devreg "$@"
    status=$?
    [ $status -eq 0 ] && return
    printf '[%d]\n' $status
    [ "$before" = "$(registry_state)" ] || echo "THE REGISTRY WAS CHANGED"
}

try() {
    try_as "$*" "$@"
}

# Keys, times, and the names of this machine.
mask() {
    tab=$(printf '\t')
    sed -E -e "s#$work#DIR#g" -e 's/devreg_[0-9A-Za-z]{36}/KEY/g' \
        -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/TIME/g' \
        -e 's/([^0-9])[0-9]{13}([^0-9])/\1MS\2/g' \
        -e 's/"secret":"[0-9a-f]+"/"secret":"HEX"/g' \
        -e "s/$tab$user$tab/${tab}USER$tab/" -e "s/\"(who|user)\":\"$user\"/\"\1\":\"USER\"/" \
        -e 's/ in [0-9]+\.[0-9] s/ in SECONDS/' \
        -e "s/runs as $user\./runs as USER./" -e 's#plugin /.*/devreg\.so#plugin PLUGIN#'
}

devreg init --user "$user" 2>"$work/init" || { cat "$work/init"; exit 3; }
(cd "$work/cwd" && . "$case_dir/cmd") >"$work/raw_out" 2>"$work/raw_err" </dev/null
echo $? >"$work/rc"
mask <"$work/raw_out" >"$work/out"
mask <"$work/raw_err" >"$work/err"

result=0
for part in out err rc; do
    if [ -n "${DEVREG_GOLDEN_UPDATE:-}" ]; then
        cp "$work/$part" "$case_dir/$part"
    else
        diff -u "$case_dir/$part" "$work/$part" || result=1
    fi
done
exit $result
