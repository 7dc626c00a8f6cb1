#!/bin/sh
# Installs awsrole, a shell hook that assumes the AWS role of a directory.
#
# install.sh [--to DIR] [--version VERSION] [--from URL|DIR] [--uninstall]
#
#   --to DIR           where the programs go, ~/.local/bin by default. With DIR/bin, other files go to DIR/share
#   --version VERSION  the version, the latest by default
#   --from URL|DIR     where the tarballs and SHA256SUMS are
#   --uninstall        removes what this script installed in DIR
#   --help             prints this text
#
# It needs no root. It verifies the checksum of the tarball before it unpacks it, and changes nothing if a step fails.
# It edits no rc file: it prints the line to add.
# shellcheck disable=SC2016 # backquotes and $(…) in messages are text
set -eu

# Filled in for a release by packaging/release-files: the address of its files, with {version}, and its version.
releases=''
version=''

say() { printf 'install: %s\n' "$*" >&2; }
fail() {
    say "$1"
    shift
    for hint; do printf '  hint: %s\n' "$hint" >&2; done
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
usage() { sed -n '2,/^set /{/^set /d; s/^#$//; s/^# //p;}' "$0"; }
value() { if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value"; fi; }

to='' uninstall=''
while [ $# -gt 0 ]; do
    case $1 in
    --to) value "$@"; to=$2; shift 2 ;;
    --version) value "$@"; version=${2#v}; shift 2 ;;
    --from) value "$@"; releases=$2; shift 2 ;;
    --uninstall) uninstall=yes; shift ;;
    --help | -h) usage; exit ;;
    *) fail "unknown option: $1" '--help lists the options' ;;
    esac
done
case $version in *[!A-Za-z0-9.+-]*) fail "not a version: $version" ;; esac
if [ -z "$to" ]; then
    [ -n "${HOME-}" ] || fail 'HOME is not set' '--to DIR says where to install'
    to=$HOME/.local/bin
fi
case $to in /*) ;; *) to=$PWD/$to ;; esac
case $to in
*/bin) share=${to%/bin}/share ;;
*) share=$to/share ;;
esac
list=$share/awsrole/installed-files

if [ -n "$uninstall" ]; then
    [ -f "$list" ] || fail "awsrole was not installed in $to by this script" '--to DIR names the directory'
    while IFS= read -r file; do
        case $file in "$to"/* | "$share"/*) rm -f -- "$file" ;; esac
    done <"$list"
    rm -f -- "$list"
    rmdir -- "$share/awsrole" "$share/doc/awsrole" 2>/dev/null || :
    say "removed awsrole from $to"
    say 'remove the line with `awsrole hook` from your rc file. `~/.cache/awsrole` and `~/.local/share/awsrole` are kept'
    exit
fi

[ -n "$releases" ] || fail 'this copy of the script names no release' '--from URL or --from DIR names the place of the tarballs'
case $releases in
*'{version}'*)
    [ -n "$version" ] || fail '--version needs a value'
    releases=${releases%%'{version}'*}$version${releases#*'{version}'}
    ;;
*/) releases=${releases%/} ;;
esac

system=$(uname -s) machine=$(uname -m)
case $machine in
x86_64 | amd64) machine=x86_64 ;;
aarch64 | arm64) machine=aarch64 ;;
*) fail "there is no package for this processor: $machine" 'build it with cargo: see README.md' ;;
esac
case $system in
Linux) target=$machine-unknown-linux-musl ;;
Darwin) target=$machine-apple-darwin ;;
*) fail "there is no package for this system: $system" 'awsrole runs on Linux and macOS' ;;
esac

if has sha256sum; then
    sum() { sha256sum "$1" | cut -d' ' -f1; }
elif has shasum; then
    sum() { shasum -a 256 "$1" | cut -d' ' -f1; }
elif has openssl; then
    sum() { openssl dgst -sha256 -r "$1" | cut -d' ' -f1; }
else
    fail 'no program computes SHA-256 here' 'install coreutils, perl or openssl'
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/awsrole.XXXXXX") || fail 'cannot create a temporary directory' 'TMPDIR names another place'
unfinished=''
clean() {
    rm -rf -- "$work"
    [ -z "$unfinished" ] || printf '%s\n' "$unfinished" | while IFS= read -r file; do rm -f -- "$file"; done
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Copies a file of the release to the temporary directory.
get() {
    case $releases in
    http://* | https://*)
        if has curl; then
            curl --fail --silent --show-error --location --retry 2 --output "$work/$1" "$releases/$1"
        elif has wget; then
            wget -q -O "$work/$1" "$releases/$1"
        else
            fail 'neither curl nor wget is installed' 'download the tarball and SHA256SUMS, and use --from DIR'
        fi
        ;;
    *) cp -- "$releases/$1" "$work/$1" ;;
    esac || fail "cannot get $releases/$1" 'check the network, the version and --from'
}

get SHA256SUMS
# Usually the list has one version. Otherwise the last one is used.
while read -r digest file; do
    case $file in
    awsrole-"$version"*-"$target".tar.gz)
        found=${file#awsrole-}
        found=${found%-"$target".tar.gz}
        if [ -z "$version" ] || [ "$found" = "$version" ]; then tarball=$file expected=$digest; fi
        ;;
    esac
done <"$work/SHA256SUMS"
[ -n "${tarball-}" ] || fail "SHA256SUMS lists no awsrole ${version:+$version }for $target" "see $releases"
say "getting $tarball"
get "$tarball"
[ "$(sum "$work/$tarball")" = "$expected" ] ||
    fail "the checksum of $tarball is wrong: nothing was installed" 'the download was cut off or changed: run this again'
mkdir "$work/tree"
tar -xzf "$work/$tarball" -C "$work/tree" || fail "cannot unpack $tarball"
tree=$work/tree/${tarball%.tar.gz}
"$tree/bin/awsrole" --version >/dev/null 2>&1 || fail "awsrole does not run on this machine ($target)" 'build it with cargo: see README.md'

# Every file is copied next to its place before the first one is renamed, so that a full disk changes nothing.
(cd "$tree" && find bin share -type f | LC_ALL=C sort) >"$work/files"
: >"$work/installed"
while IFS= read -r file; do
    case $file in
    bin/*) place=$to/${file#bin/} ;;
    *) place=$share/${file#share/} ;;
    esac
    printf '%s\n' "$place" >>"$work/installed"
    mkdir -p -- "$(dirname -- "$place")" || fail "cannot create $(dirname -- "$place")" '--to DIR names another directory'
    new=$place.new.$$
    unfinished="$unfinished$new
"
    cp -- "$tree/$file" "$new" || fail "cannot write $place: nothing was installed" 'check the free space and the permissions, or use --to DIR'
done <"$work/files"
mkdir -p -- "$share/awsrole"
unfinished="$unfinished$list.new.$$
"
cp -- "$work/installed" "$list.new.$$" || fail "cannot write $list: nothing was installed" 'check the free space'
while IFS= read -r place; do mv -f -- "$place.new.$$" "$place"; done <"$work/installed"
mv -f -- "$list.new.$$" "$list"
unfinished=''

say "installed $("$to/awsrole" --version) in $to"
case :${PATH-}: in
*:"$to":*) ;;
*) say "$to is not in PATH: add it before the next line, such as  export PATH=\"$to:\$PATH\"" ;;
esac
case ${SHELL-} in
*/zsh) say 'add to ~/.zshrc:  eval "$(awsrole hook zsh)"' ;;
*/fish) say 'add to ~/.config/fish/config.fish:  awsrole hook fish | source' ;;
*/bash | */sh | '') say 'add to ~/.bashrc:  eval "$(awsrole hook bash)"' ;;
*) say 'add the lines for your shell: see docs/shells.md' ;;
esac
say 'then open a new shell and run `awsrole doctor`'
