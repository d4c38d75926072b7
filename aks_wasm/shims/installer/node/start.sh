#!/bin/sh
# Puts WebAssembly shims on a node: checks what it downloads, adds runtimes to containerd's configuration, and restarts
# containerd only after `containerd config dump` shows every runtime it had before, unchanged, and the new ones.
# Put together from aks_wasm/shims/installer/node/*.sh; runs with the node's own tools, in the node's root.
#
# usage: node-script.sh VERB FOLDER
#   install   make the node as the list says, and end; an empty list removes everything again
#   keep      look every 30 seconds whether it still is, mend it, keep the node's labels; ends by a signal
#   check     print one line of JSON about the node; 0 if all is as wanted
#   remove    as install with an empty list
# FOLDER has: shims.tsv, one platform a line: name version handler binary os arch location sha256 (tabs between)
#             settings, lines key=value: local_image_pull=true|false turns=N namespace=NAME
#             probes/*.tar, images to import; parts/<sum>/part-*, binaries that came in pieces
# Environment: NODE_NAME, and POD_UID for the token that takes turns; AKS_WASM_ROOT, the node's root if not / (tests).
# shellcheck disable=SC2013,SC2015,SC2020 # names are plain words; `a && b || fail` is meant so; tr takes sets
set -eu
umask 022
root=${AKS_WASM_ROOT:-}
for place in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin /opt/bin; do PATH=$PATH:$root$place; done
export PATH LC_ALL=C

# ---- Places, words, settings, one run at a time ----

script=$0 verb=${1:-} folder=${2:-}
opt=/opt/aks-wasm       # as containerd names it; files are reached by $root$opt
state=$root$opt/state   # what the next run must know, also after a reboot
work=$root$opt/.work    # on the same disk as what it becomes, so that a rename is all it takes
run=$root/run/aks-wasm
node=${NODE_NAME:-$(cat "$root/etc/hostname" 2>/dev/null || uname -n)}
tab=$(printf '\t')

say() { printf 'aks-wasm: %s\n' "$*" >&2; }

# fail CODE WORDS: CODE is one of HashMismatch Truncated WrongArchitecture NotFound DownloadFailed DiskFull
# ConfigRefused HandlerDropped RestartFailed RolledBack NoTurn Unauthorized Unsupported
fail() { code=$1; shift; say "error: $code: $*"; exit 1; }

# is_full PLACE: less than 256 KiB are free
is_full() {
    free=$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ "${free:-9999}" -lt 256 ]
}

# room_or CODE PLACE [WORDS]: something could not be written; the disk is full, or it is something else
room_or() {
    if is_full "$2"; then fail DiskFull "no room left on the node's disk below ${2#"$root"}"; fi
    fail "$1" "${3:-"cannot write below ${2#"$root"}"}"
}

# setting KEY DEFAULT
setting() {
    value=
    if [ -f "$folder/settings" ]; then
        while IFS='=' read -r key rest; do [ "$key" != "$1" ] || value=$rest; done <"$folder/settings"
    fi
    printf '%s\n' "${value:-$2}"
}

# AKS has it in the first place, kubeadm in the second.
kubelet_config() {
    for file in "$root/var/lib/kubelet/kubeconfig" "$root/etc/kubernetes/kubelet.conf"; do
        if [ -f "$file" ]; then echo "$file"; return; fi
    done
    echo "$file"
}

# The lock goes with the process, however it ends.
one_at_a_time() {
    mkdir -p "$run" || room_or DiskFull "$root/run"
    exec 9>"$run/lock"
    if command -v flock >/dev/null; then
        flock -w 600 9 || fail Unsupported 'another run on this node does not end'
    fi
}

fresh_work() {
    rm -rf "$work"
    mkdir -p "$work" || room_or DiskFull "$root/opt"
}
