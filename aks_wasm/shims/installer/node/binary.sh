
# ---- Binaries: checked, unpacked, put in place by a rename; the old ones leave when nothing runs them ----

# bytes OFFSET COUNT FILE: as decimals with one space between them
bytes() {
    # shellcheck disable=SC2046
    set -- $(od -An -tu1 -j "$1" -N "$2" "$3")
    echo "$*"
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

is_elf() { [ "$(bytes 0 4 "$1")" = '127 69 76 70' ]; }

# Beside each binary lies a note: the sum of what was downloaded, and its own.
is_placed() {
    [ -x "$2" ] && [ "$(cut -d ' ' -f 1 "$2.sha256" 2>/dev/null)" = "$1" ] && is_intact "$2"
}

is_intact() { [ "$(cut -d ' ' -f 2 "$1.sha256" 2>/dev/null)" = "$(sum_of "$1" 2>/dev/null)" ]; }

# place NAME VERSION BINARY LOCATION SUM
place() {
    target=$root$opt/$1/$2/$3
    if is_placed "$5" "$target"; then return; fi
    say "fetching $1 $2 from $4"
    fetch "$4" "$work/download"
    found=$(sum_of "$work/download")
    [ "$found" = "$5" ] || fail HashMismatch "$4 is not what it should be: its SHA-256 is $found, not $5"
    unpack "$work/download" "$3" "$work/binary"
    check_machine "$work/binary" "$3"
    mkdir -p "${target%/*}" || room_or DiskFull "$root$opt"
    chmod 0755 "$work/binary"
    printf '%s %s\n' "$5" "$(sum_of "$work/binary")" >"$work/note" || room_or DiskFull "$work"
    sync "$work/binary" "$work/note" 2>/dev/null || sync
    # A shim that runs keeps its own file; a run cut between the two renames finds a binary without its note.
    rm -f "$target.sha256"
    mv "$work/binary" "$target" && mv "$work/note" "$target.sha256" || room_or DiskFull "$root$opt"
    rm -f "$work/download"
}

# unpack DOWNLOAD BINARY TARGET: a program as it is, gzip'ed, or one member of a tar; nothing else is written
unpack() {
    mv "$1" "$work/packed"
    if [ "$(bytes 0 2 "$work/packed")" = '31 139' ]; then
        gzip -dc "$work/packed" >"$work/unpacked" 2>"$work/said" ||
            room_or Truncated "$work" "$2 cannot be unpacked: $(tail -n 1 "$work/said")"
        mv "$work/unpacked" "$work/packed"
    fi
    if is_elf "$work/packed"; then mv "$work/packed" "$3"; return; fi
    member=$(tar -tf "$work/packed" 2>/dev/null | grep -E "(^|/)$(printf '%s' "$2" | sed 's/[.+]/\\&/g')\$") || true
    case $member in
        '') fail Unsupported "what was downloaded is neither a Linux program nor an archive that has $2" ;;
        *"
"*) fail Unsupported "the archive has more than one $2" ;;
    esac
    tar -xOf "$work/packed" "$member" >"$3" 2>"$work/said" ||
        room_or Unsupported "$work" "$2 cannot be unpacked: $(head -n 1 "$work/said")"
    rm -f "$work/packed"
}

# The class is 64 bits, the order little-endian, the machine a number at offset 18.
check_machine() {
    is_elf "$1" || fail Unsupported "$2 is not a Linux program"
    found=$(bytes 18 2 "$1")
    [ "$(bytes 4 2 "$1") $found" = "2 1 $machine" ] ||
        fail WrongArchitecture "$2 is for another processor (ELF machine ${found%% *}; $arch is ${machine%% *})"
}

place_all() {
    while IFS=$tab read -r name version _handler binary location sum; do
        place "$name" "$version" "$binary" "$location" "$sum" </dev/null
    done <"$work/wanted"
}

# Binaries of ours that are not wanted, as paths on the node.
unwanted() {
    runtimes_wanted | cut -d ' ' -f 2 >"$work/paths"
    for note in "$root$opt"/*/*/*.sha256; do
        [ -e "$note" ] || continue
        path=${note%.sha256}
        path=${path#"$root"}
        grep -qxF "$path" "$work/paths" || echo "$path"
    done
}

# prune: removes what is not wanted, except what still runs; $leaving has those, $work/running who runs what
prune() {
    # shellcheck disable=SC2012
    ls -l "$root"/proc/[0-9]*/exe 2>/dev/null |
        sed -n 's,.*/proc/\([0-9]*\)/exe -> \(.*\)$,\1 \2,p' | sed 's/ (deleted)$//' >"$work/running" || true
    leaving=
    for path in $(unwanted); do
        if grep -q " $path\$" "$work/running"; then leaving="$leaving $path"; continue; fi
        rm -f "$root$path" "$root$path.sha256"
        path=${path#"$opt/"}
        (cd "$root$opt" && rmdir -p "${path%/*}") 2>/dev/null || true
    done
    [ -s "$work/wanted" ] || rmdir "$root$opt" 2>/dev/null || true
}

# still_used: who runs what is to go, in words; a pod's name is on the container that its shim was started for
still_used() {
    for path in $leaving; do
        sed -n "s,^\([0-9]*\) $path\$,\1,p" "$work/running" | while read -r pid; do
            id=$(tr '\000' '\n' <"$root/proc/$pid/cmdline" 2>/dev/null | sed -n '/^-id$/ { n; p; }')
            pod=
            if [ -n "$id" ]; then pod=$(ctr_k8s containers info "$id" 2>/dev/null | pod_in); fi
            echo "${path#"$opt/"} is still run by ${pod:-process $pid}"
        done | sort -u
    done | paste -s -d ';' - | sed 's/;/; /g'
}

# pod_in: `pod NAMESPACE/NAME` by the labels in a container's JSON
pod_in() {
    tr ',{}' '\n\n\n' | sed -n 's/.*"io\.kubernetes\.pod\.\(name\|namespace\)": *"\([^"]*\)".*/\1 \2/p' | sort -u |
        awk '{ its[$1] = $2 } END { if (its["name"] != "") print "pod " its["namespace"] "/" its["name"] }'
}
