#!/bin/sh
# Puts shims on this node: checks what it downloads, adds a runtime to containerd's configuration, and restarts
# containerd only after `containerd config dump` shows every runtime it had before and the new ones.
#
# usage: sh -s -- LIST    LIST has one platform a line, fields separated by tabs:
#                         name version handler binary os arch location sha256
# AKS_WASM_ROOT           where the node's root is (tests); default: /
# What the configuration may look like is in facts wasm.md 0.1-0.3 and real-cluster.md 0.
set -eu

PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=${AKS_WASM_ROOT:-}
config=$root/etc/containerd/config.toml
shims=$root/opt/aks-wasm/shims
backup=$config.aks-wasm-backup
new=$config.aks-wasm-new # beside the file it replaces: imports are relative to it
tab=$(printf '\t')
work=

say() { printf 'aks-wasm: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
clean() { rm -f "$new"; if [ -n "$work" ]; then rm -rf "$work"; fi; }
trap clean EXIT
trap 'exit 143' TERM INT

case $(uname -m) in
    x86_64 | amd64) arch=amd64 machine=62 ;;
    aarch64 | arm64) arch=arm64 machine=183 ;;
    *) fail "no shim is made for $(uname -m)" ;;
esac

# bytes OFFSET COUNT FILE: as decimals with one space between them
bytes() {
    # shellcheck disable=SC2046
    set -- $(od -An -tu1 -j "$1" -N "$2" "$3")
    echo "$*"
}

is_elf() { [ "$(bytes 0 4 "$1")" = '127 69 76 70' ]; }

# The machine is a little-endian number at offset 18; those of both architectures are below 256.
elf_machine() { bytes 18 1 "$1"; }

has_sum() { printf '%s  %s\n' "$2" "$1" | sha256sum -c - >/dev/null 2>&1; }

download() {
    case $1 in
        file://*) cp "$root${1#file://}" "$2" ;;
        *)
            if command -v curl >/dev/null 2>&1; then
                curl -fsSL --retry 4 --retry-delay 2 --connect-timeout 20 -o "$2" "$1"
            else
                wget -q -T 60 -t 4 -O "$2" "$1"
            fi
            ;;
    esac
}

# unpack DOWNLOAD BINARY FOLDER: leaves FOLDER/BINARY
unpack() {
    case $(bytes 0 2 "$1") in
        '31 139')
            member=$(tar -tzf "$1" | grep -E "(^|/)$2\$" | head -n 1) || true
            [ -n "$member" ] || fail "$2 is not in the archive"
            tar -xzOf "$1" "$member" >"$3/$2"
            ;;
        *) cp "$1" "$3/$2" ;;
    esac
}

# A file is put in place by a rename, so that a shim that is running keeps its own, and a cut is no half a file.
install_binary() {
    name=$1 version=$2 handler=$3 binary=$4 location=$5 sum=$6
    target=$shims/$handler
    if [ -x "$target/$binary" ] && [ "$(cat "$target/sha256" 2>/dev/null)" = "$sum" ]; then
        say "$name $version is there"
        return
    fi
    [ ${#sum} -eq 64 ] || fail "the SHA-256 of $name $version is not known"
    say "fetching $name $version from $location"
    download "$location" "$work/download" || fail "cannot fetch $location"
    has_sum "$work/download" "$sum" || fail "$location is not what it should be (SHA-256 differs)"
    unpack "$work/download" "$binary" "$work"
    is_elf "$work/$binary" || fail "$binary is not a Linux program"
    found=$(elf_machine "$work/$binary")
    [ "$found" = "$machine" ] || fail "$binary is for another processor (ELF machine $found, wanted $machine)"
    mkdir -p "$target"
    chmod 0755 "$work/$binary"
    mv "$work/$binary" "$target/.$binary.new"
    mv "$target/.$binary.new" "$target/$binary"
    printf '%s' "$sum" >"$target/sha256"
    rm -f "$work/download"
}

# The id of the plugin that has the runtimes: the one the file uses already, else the one that its version calls for.
# AKS writes `version = 2` with the ids of containerd 2, so the version alone says nothing.
plugin_id() {
    if grep -q 'io\.containerd\.cri\.v1\.runtime' "$1"; then
        echo io.containerd.cri.v1.runtime
    elif grep -q 'io\.containerd\.grpc\.v1\.cri' "$1"; then
        echo io.containerd.grpc.v1.cri
    elif [ "$(sed -n 's/^[[:space:]]*version[[:space:]]*=[[:space:]]*\([0-9]*\).*/\1/p' "$1" | head -n 1)" -ge 3 ] 2>/dev/null; then
        echo io.containerd.cri.v1.runtime
    else
        echo io.containerd.grpc.v1.cri
    fi
}

# dump FILE: what containerd makes of a configuration
dump() { containerd -c "$1" config dump; }

# handlers DUMP: the runtimes in it, one a line
handlers() {
    sed -n "s/^[[:space:]]*\[plugins\.['\"]io\.containerd\.[a-z0-9.]*['\"]\.containerd\.runtimes\.\([^].]*\)\].*/\1/p" "$1" |
        tr -d "'\"" | sort -u
}

# block HANDLER BINARY PLUGIN CGROUP: what goes into the configuration for one handler
block() {
    printf '# begin aks-wasm %s\n' "$1"
    printf '[plugins."%s".containerd.runtimes."%s"]\n' "$3" "$1"
    printf '  runtime_type = "/opt/aks-wasm/shims/%s/%s"\n' "$1" "$2"
    printf '[plugins."%s".containerd.runtimes."%s".options]\n' "$3" "$1"
    printf '  SystemdCgroup = %s\n' "$4"
    printf '# end aks-wasm %s\n' "$1"
}

# add_block FILE HANDLER BINARY: replaces the handler's own block, or puts it at the end
add_block() {
    plugin=$(plugin_id "$1")
    sed "/^# begin aks-wasm $2\$/,/^# end aks-wasm $2\$/d" "$1" >"$work/stripped"
    { cat "$work/stripped"; block "$2" "$3" "$plugin" "$cgroup"; } >"$1"
}

restart() {
    systemctl restart containerd || return 1
    tries=0
    while [ "$tries" -lt 30 ]; do
        if systemctl is-active --quiet containerd; then return 0; fi
        tries=$((tries + 1))
        sleep 1
    done
    return 1
}

roll_back() {
    say 'containerd does not come up with it; putting the old configuration back'
    cp -p "$backup" "$new"
    mv "$new" "$config"
    restart || fail 'containerd does not come up with the old configuration either'
    fail 'rolled back'
}

# install_all LIST: binaries into place, blocks into the new configuration, handlers into $work/wanted
install_all() {
    : >"$work/wanted"
    while IFS=$tab read -r name version handler binary os its_arch location sum; do
        [ "$os" = linux ] && [ "$its_arch" = "$arch" ] || continue
        install_binary "$name" "$version" "$handler" "$binary" "$location" "$sum"
        add_block "$new" "$handler" "$binary"
        echo "$handler" >>"$work/wanted"
    done <"$1"
    for handler in $(cut -f 3 "$1" | sort -u); do
        grep -qx "$handler" "$work/wanted" || fail "$handler has no binary for $arch; nothing was changed"
    done
}

# Nothing is restarted before containerd itself says that it would have all of its runtimes, old and new.
check_new() {
    dump "$new" >"$work/dump" || fail 'containerd cannot read the new configuration; nothing was changed'
    handlers "$work/dump" >"$work/after"
    for handler in $(cat "$work/before" "$work/wanted"); do
        grep -qx "$handler" "$work/after" ||
            fail "containerd would not have the runtime $handler with the new configuration; nothing was changed"
    done
}

main() {
    mkdir -p "$shims"
    work=$(mktemp -d "$shims/.work.XXXXXX")
    [ -f "$config" ] || { mkdir -p "${config%/*}"; printf 'version = 2\n' >"$config"; }
    dump "$config" >"$work/dump" || fail "containerd cannot read $config as it is; nothing was changed"
    handlers "$work/dump" >"$work/before"
    cgroup=false
    if grep -Eq '^[[:space:]]*SystemdCgroup[[:space:]]*=[[:space:]]*true' "$work/dump"; then cgroup=true; fi
    cp -p "$config" "$new"
    # A last line without its end would swallow the first line of a block.
    [ -z "$(tail -c 1 "$new")" ] || echo >>"$new"

    install_all "$1"
    if cmp -s "$new" "$config"; then
        say 'the configuration is as it should be'
        return
    fi
    check_new
    cp -p "$config" "$backup"
    mv "$new" "$config"
    restart || roll_back
    say "ready: $(tr '\n' ' ' <"$work/wanted")"
}

# The script comes in by standard input; nothing it runs may read from there.
main "${1:?LIST is needed}" </dev/null
