# Sourced by scripts that fetch Debian's packages for a test. Nothing is installed on the machine and its
# own package lists are not touched: apt runs on a private state below $tmp, with the mirror, proxy
# and other settings that this machine's apt has. All packages are checked against the Debian archive
# keys. It needs no root, and nothing beyond what every Debian has.
#
# Who sources it sets $tmp, an empty folder, and $base, the suite that this machine has, and brings a
# die(), which says what is wrong and exits. Then: find_mirrors, private_apt, apt_lists, apt_get.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The places this machine gets Debian from. "update --print-uris" fetches
# nothing and reads every form of sources.list.
find_mirrors() {
    local uri
    mirrors=()
    while read -r uri; do
        [[ " ${mirrors[*]} " == *" $uri "* ]] || mirrors+=("$uri")
    done < <(apt-get --print-uris update 2>/dev/null | sed -nE \
        "/^'cdrom:/d; s#^'([^ ']+)/dists/($base|(old)*stable)(-updates|-backports)?/InRelease'.*#\1#p")
    [[ ${#mirrors[@]} -gt 0 ]] || die "apt on this machine has no source for Debian $base;" \
        "add one to /etc/apt/sources.list.d and run this again"
}

apt_get() {
    apt-get -c "$tmp/apt.conf" "$@"
}

# Sets up apt's private folders and settings below $tmp. The -c file is read
# after the machine's own settings. Everything that would act on the machine
# is taken out.
private_apt() {
    mkdir -p "$tmp/state/lists/partial" "$tmp/cache/archives/partial" "$tmp/none"
    cat > "$tmp/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Default-Release;
Dir::State "$tmp/state";
Dir::State::status "$tmp/state/status";
Dir::Cache "$tmp/cache";
Dir::Etc::sourcelist "$tmp/sources.list";
Dir::Etc::sourceparts "$tmp/none";
Dir::Etc::preferences "$tmp/preferences";
Dir::Etc::preferencesparts "$tmp/none";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::List-Cleanup "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
END
}

# What went wrong first, as apt's log has it, without passwords.
apt_error() {
    sed -nE '/^[EW]: */{s///; s/  +/ /g; s#//[^/@ ]*@#//#g; p; q}' "$tmp/log"
}

# apt_lists ARCHITECTURE SUITE...: reads the package lists from the first mirror that has them.
# With the architecture "source", those of the sources.
apt_lists() {
    local arch=$1 mirror suite why='' type=deb
    [[ $arch != source ]] || type=deb-src
    [[ -r $keyring ]] || die "there is no $keyring; install the package debian-archive-keyring"
    for mirror in "${mirrors[@]}"; do
        for suite in "${@:2}"; do
            printf '%s [%sarch=%s signed-by=%s] %s %s main\n' "$type" \
                "$([[ $arch == source ]] || printf 'target=Packages ')" \
                "${arch/source/$(dpkg --print-architecture)}" "$keyring" "$mirror" "$suite"
        done > "$tmp/sources.list"
        apt_get -q update > "$tmp/log" 2>&1 && return
        why=${why:-$(apt_error)}
    done
    die "cannot read the package lists of ${*:2}: ${why:-apt-get update failed} --" \
        "see to it that the Debian mirror in this machine's apt sources can be reached and has" \
        "${*:2}, then run this again"
}
