#!/bin/sh
# Sees to what a fresh machine lacks: tools/setup.sh GROUP…
#
#   rust   a C linker and certificates for cargo; the toolchain of rust-toolchain.toml
#   image  GRUB and the tools that make a bootable ISO
#   run    QEMU and the UEFI firmware
#   debug  gdb
#   bench  what the Linux guest of the comparison is built with, on Debian
#   book   mdBook, by `cargo install`, into build/tools
#   fuzz   the nightly toolchain and cargo-fuzz, into build/tools
#
# A shell script and not a host program, because it runs before there is a compiler. Finding that
# nothing is missing takes a few milliseconds. NO_INSTALL=1 names what is missing and stops.
set -eu
cd "$(dirname "$0")/.."

mdbook_version=0.5.4
cargo_fuzz_version=0.13.2

missing=''    # Debian's names, which also key the table of other systems' names below.
need() {      # need PACKAGE FILE…: PACKAGE is missing unless one of the files is there
    package=$1
    shift
    for file in "$@"; do
        case $file in
        */*) [ -e "$file" ] && return ;;
        *) command -v "$file" >/dev/null 2>&1 && return ;;
        esac
    done
    missing="$missing $package"
}

other_name() { # other_name MANAGER PACKAGE
    case $1:$2 in
    *:gcc) echo gcc ;;
    dnf:g++) echo gcc-c++ ;;
    pacman:g++ | brew:g++) echo gcc ;;
    dnf:libc6-dev) echo glibc-devel ;;
    pacman:libc6-dev) echo glibc ;;
    brew:libc6-dev) ;;
    *:ca-certificates) echo ca-certificates ;;
    dnf:qemu-system-x86) echo qemu-system-x86-core ;;
    pacman:qemu-system-x86) echo qemu-system-x86 ;;
    brew:qemu-system-x86) echo qemu ;;
    dnf:grub-common) echo grub2-tools-extra ;;
    dnf:grub-pc-bin) echo grub2-pc-modules ;;
    dnf:grub-efi-amd64-bin) echo grub2-efi-x64-modules ;;
    pacman:grub-*) echo grub ;;
    brew:grub-*) echo x86_64-elf-grub ;;
    dnf:ovmf) echo edk2-ovmf ;;
    pacman:ovmf) echo edk2-ovmf ;;
    brew:ovmf) ;; # Comes with qemu.
    pacman:xorriso) echo libisoburn ;;
    *) echo "$2" ;;
    esac
}

print_for() { # print_for MANAGER COMMAND
    names=$(for package in $missing; do other_name "$1" "$package"; done | sort -u | tr '\n' ' ')
    echo "  $2 $names" >&2
}

install_packages() {
    [ -z "$missing" ] && return
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: host packages are missing; install them with one of" >&2
        print_for dnf 'dnf install'
        print_for pacman 'pacman -S'
        print_for brew 'brew install'
        exit 1
    fi
    sudo=''
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    if [ -n "${NO_INSTALL:-}" ]; then
        echo "setup: missing host packages:$missing (NO_INSTALL is set; nothing was installed)" >&2
        exit 1
    fi
    echo "setup: missing host packages; will run ${sudo:+sudo }apt-get install$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # A fresh machine has no package lists, an old one has stale ones.
    $sudo apt-get -qq update >&2 || echo "setup: apt-get update failed; going on with the old lists" >&2
    # shellcheck disable=SC2086 # One word a package.
    $sudo apt-get -qq -y --no-install-recommends install $missing >&2 </dev/null || {
        echo "setup: apt could not install:$missing" >&2
        exit 1
    }
}

toolchain() {
    # Two processes instead of a run of rustup, which takes 50 ms and more.
    channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
    home=${RUSTUP_HOME:-$HOME/.rustup}
    for directory in "$home/toolchains/$channel"-*; do
        [ -x "$directory/bin/rustc" ] && [ -x "$directory/bin/cargo-clippy" ] &&
            [ -x "$directory/bin/rustfmt" ] && return
    done
    if ! command -v rustup >/dev/null 2>&1; then
        # A toolchain without rustup will do if it is the right one.
        case $(rustc --version 2>/dev/null) in
        "rustc $channel "*) return ;;
        esac
        echo "setup: no rustup and no rustc $channel; see https://rustup.rs" >&2
        exit 1
    fi
    if [ -n "${NO_INSTALL:-}" ]; then
        echo "setup: missing Rust toolchain $channel (NO_INSTALL is set; nothing was installed)" >&2
        exit 1
    fi
    echo "setup: missing Rust toolchain; will run rustup toolchain install $channel" >&2
    rustup toolchain install "$channel" --profile minimal --component rustfmt --component clippy >&2
}

cargo_tool() { # cargo_tool CRATE VERSION BINARY [OPTION…]
    mark=build/tools/$1-$2
    [ -e "$mark" ] && [ -x "build/tools/bin/$3" ] && return
    if [ -n "${NO_INSTALL:-}" ]; then
        echo "setup: missing $1 $2 (NO_INSTALL is set; nothing was installed)" >&2
        exit 1
    fi
    echo "setup: missing $1; will run cargo install $1 --version $2 --root build/tools" >&2
    crate=$1 version=$2
    shift 3
    # Away from the workspace's settings, and with a target directory that a second try can use.
    CARGO_TARGET_DIR=build/tools/target cargo install "$crate" --locked --version "$version" \
        --root build/tools "$@" >&2
    rm -rf build/tools/target
    : >"$mark"
}

for group in "$@"; do
    case $group in
    rust)
        need gcc cc gcc clang
        need libc6-dev /usr/include/stdlib.h /Library/Developer
        need ca-certificates /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs /etc/ssl/cert.pem
        ;;
    image)
        need grub-common grub-mkrescue grub2-mkrescue
        need grub-pc-bin /usr/lib/grub/i386-pc /usr/share/grub/i386-pc
        need grub-efi-amd64-bin /usr/lib/grub/x86_64-efi
        need xorriso xorriso
        need mtools mformat
        ;;
    run)
        need qemu-system-x86 qemu-system-x86_64
        need ovmf /usr/share/ovmf/OVMF.fd /usr/share/OVMF/OVMF_CODE.fd \
            /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/edk2/ovmf/OVMF_CODE.fd \
            /usr/share/edk2/x64/OVMF_CODE.4m.fd /usr/share/qemu/edk2-x86_64-code.fd \
            /opt/homebrew/share/qemu/edk2-x86_64-code.fd
        ;;
    debug) need gdb gdb ;;
    bench)
        # Elsewhere the system is measured without a comparison.
        if grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
            headers=$(ls -d /usr/src/linux-headers-*-amd64 2>/dev/null | head -n 1)
            need linux-headers-amd64 "${headers:-/usr/src/linux-headers-amd64}"
            need cpio cpio
            need make make
        fi
        ;;
    fuzz) need g++ c++ g++ clang++ ;;
    book) ;;
    *)
        echo "setup: unknown group '$group'; groups are rust image run debug bench book fuzz" >&2
        exit 2
        ;;
    esac
done
install_packages

for group in "$@"; do
    case $group in
    rust) toolchain ;;
    book) # Without its web server, which is two thirds of its compile time.
        cargo_tool mdbook "$mdbook_version" mdbook --no-default-features --features search
        ;;
    fuzz)
        cargo_tool cargo-fuzz "$cargo_fuzz_version" cargo-fuzz
        if ! rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
            [ -z "${NO_INSTALL:-}" ] || { echo "setup: missing toolchain nightly" >&2; exit 1; }
            echo "setup: missing Rust toolchain; will run rustup toolchain install nightly" >&2
            rustup toolchain install nightly --profile minimal >&2
        fi
        ;;
    esac
done
