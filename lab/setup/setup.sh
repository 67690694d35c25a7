#!/bin/sh
# Installs what the lab needs: MariaDB and the drivers from the system's packages, and MySQL from Debian sid in a root
# of its own, .roots/sid. `setup.sh systems` adds a root for each Debian that the library has to start on, with its own
# drivers, in .roots/systems; `setup.sh bench` and `setup.sh aarch64` add what `make bench` and `make aarch64` need, the
# latter in .roots/arm64. Idempotent; needs root. Uses the mirror that this machine's apt uses.
set -eu

tree=$(cd "$(dirname "$0")/../.." && pwd)
roots=$tree/.roots
packages="gcc g++ libc6-dev nftables openssl mariadb-server mariadb-client libmariadb-dev galera-4 rsync ruby ruby-mysql2 ruby-activerecord
    python3 python3-mysqldb libdbd-mysql-perl valgrind debootstrap passenger puma unicorn php-fpm php-mysql gunicorn
    busybox-static libcap2-bin libjemalloc2 libfaketime openjdk-17-jdk-headless musl-tools procps"
# What only `make bench` needs: its workload, its peer, and the count of instructions.
[ "${1:-}" = bench ] && packages="$packages sysbench haproxy binutils"
# What only `make aarch64` needs: a linker and an emulator.
[ "${1:-}" = aarch64 ] && packages="$packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
sid_packages="mysql-server-core mysql-client-core libmysqlclient24 libmysqlclient-dev"
systems="bullseye bookworm trixie sid"
system_packages_of_each="ruby ruby-mysql2 python3 python3-mysqldb libdbd-mysql-perl php-cli php-mysql"
export DEBIAN_FRONTEND=noninteractive

say() { printf '==> %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Services of freshly installed packages must not start. An existing policy is the owner's and stays.
forbid_services() {
    policy=$1/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    our_policy=$policy
}
our_policy=
clean_up() {
    [ -z "$our_policy" ] || rm -f "$our_policy"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

system_packages() {
    missing=
    for package in $packages; do installed "$package" || missing="$missing $package"; done
    if [ -z "$missing" ]; then
        say "system packages: all there"
        return
    fi
    say "system packages: installing$missing"
    # Package lists may be absent or too old to be of use.
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends --simulate $missing >/dev/null 2>&1 || apt-get update -q
    forbid_services ""
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $missing || {
        apt-get update -q
        # shellcheck disable=SC2086
        apt-get install -y -q --no-install-recommends $missing
    }
    rm -f "$our_policy"
    our_policy=
}

# The mirror of the Debian archive proper, not of its security updates.
mirror() {
    apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
        awk '$2 !~ /security|updates|backports/ { print $1; exit }'
}

# A minimal root of a Debian release, with packages, made beside its place and then moved there.
debian_root() (
    suite=$1 place=$2 partial=$2.partial
    shift 2
    mkdir -p "$(dirname "$place")"
    partial=$(cd "$(dirname "$place")" && pwd -P)/$(basename "$partial")
    inside() { chroot "$partial" "$@"; }
    # What an interrupted run left: first its mounts, or rm would follow them.
    awk -v root="$partial/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n1 umount
    rm -rf --one-file-system "$partial"
    say "Debian $suite: making a minimal root from $site (a minute or two)"
    debootstrap --variant=minbase "$suite" "$partial" "$site" >"$place.log" 2>&1 || fail "debootstrap failed: see $place.log"
    say "Debian $suite: installing $*"
    printf '#!/bin/sh\nexit 101\n' >"$partial/usr/sbin/policy-rc.d"
    chmod 755 "$partial/usr/sbin/policy-rc.d"
    cp -L /etc/resolv.conf "$partial/etc/resolv.conf"
    trap 'umount "$partial/proc" 2>/dev/null || true' EXIT
    mount -t proc proc "$partial/proc"
    {
        # The Release file of an archive's snapshot may have expired; its signature is checked all the same.
        inside apt-get -o Acquire::Check-Valid-Until=false update -q &&
            inside apt-get -o Acquire::Check-Valid-Until=false -o Dpkg::Options::=--force-unsafe-io \
                install -y -q --no-install-recommends "$@" &&
            inside apt-get clean
    } >>"$place.log" 2>&1 || fail "the packages of Debian $suite cannot be had: see $place.log"
    umount "$partial/proc"
    mv -T "$partial" "$place"
    rm -f "$place.log"
    say "Debian $suite: made"
)

find_mirror() {
    site=$(mirror)
    [ -n "$site" ] || fail "apt knows no Debian archive: add one to its sources, run apt-get update, try again"
}

sid_root() {
    if [ -x "$roots/sid/usr/sbin/mysqld" ]; then
        say "MySQL from sid: already in .roots/sid"
        return
    fi
    find_mirror
    # shellcheck disable=SC2086
    debian_root sid "$roots/sid" $sid_packages
    [ -x "$roots/sid/usr/sbin/mysqld" ] || fail "the packages $sid_packages brought no mysqld: remove .roots/sid"
}

# All of them at the same time. One that cannot be had is said, and its tests say so too.
system_roots() {
    making=
    for suite in $systems; do
        if [ -d "$roots/systems/$suite" ]; then
            say "Debian $suite with its drivers: already in .roots/systems"
            continue
        fi
        find_mirror
        # shellcheck disable=SC2086
        debian_root "$suite" "$roots/systems/$suite" $system_packages_of_each &
        making="$making $!"
    done
    for process in $making; do wait "$process" || say "a Debian is missing, see above: its tests are skipped"; done
}

# The other peer, which only sid has. A machine that cannot get it measures without.
sid_bench_packages() {
    [ -x "$roots/sid/usr/bin/mysqlrouter" ] && return
    say "MySQL Router from sid: installing it into .roots/sid"
    chroot "$roots/sid" apt-get -o Acquire::Check-Valid-Until=false update -q &&
        chroot "$roots/sid" apt-get install -y -q --no-install-recommends mysql-router ||
        say "MySQL Router from sid: could not be installed: make bench says so and goes on"
}

# That processor's packages, unpacked but not installed. With lists of its own, apt leaves the machine's as they are.
arm64_root() {
    if [ -e "$roots/arm64/usr/lib/aarch64-linux-gnu/libmariadb.so.3" ]; then
        say "libmariadb for aarch64: already in .roots/arm64"
        return
    fi
    say "libmariadb for aarch64: unpacking it into .roots/arm64"
    rm -rf "$roots/arm64.partial"
    apt=$roots/arm64.partial/apt
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    : >"$apt/status"
    for step in update "install -y --no-install-recommends --download-only libmariadb3"; do
        # shellcheck disable=SC2086
        apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$apt" \
            -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" $step
    done
    for package in "$apt"/archives/*.deb; do dpkg -x "$package" "$roots/arm64.partial"; done
    rm -rf "$apt"
    mv "$roots/arm64.partial" "$roots/arm64"
}

[ "$(id -u)" = 0 ] || fail "installing packages and making a root needs root: run it with sudo"
command -v apt-get >/dev/null || fail "this script knows Debian and its relatives only: apt-get is not here"
system_packages
sid_root
[ "${1:-}" != systems ] || system_roots
[ "${1:-}" != bench ] || sid_bench_packages
[ "${1:-}" != aarch64 ] || arm64_root
say "ready"
