
# ---- What is wanted: the lines of the list for this node's processor ----

architecture() {
    case $(uname -m) in
        x86_64 | amd64) arch=amd64 machine='62 0' ;;
        aarch64 | arm64) arch=arm64 machine='183 0' ;;
        *) fail Unsupported "no shim is made for $(uname -m)" ;;
    esac
}

# read_list FILE: makes $work/wanted of it: name version handler binary location sha256
read_list() {
    architecture
    : >"$work/wanted"
    while IFS=$tab read -r name version handler binary os its_arch location sum; do
        [ -n "$name" ] || continue
        case $its_arch in x86_64) its_arch=amd64 ;; aarch64) its_arch=arm64 ;; esac
        [ "$os/$its_arch" = "linux/$arch" ] || continue
        plain "$name" && plain "$version" && plain "$handler" && plain "$binary" ||
            fail Unsupported "the list has a name that is no plain one: $name $version $handler $binary"
        printf '%s' "$sum" | grep -Eqx '[0-9a-f]{64}' || fail HashMismatch "the SHA-256 of $name $version is not known"
        printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$version" "$handler" "$binary" "$location" "$sum" >>"$work/wanted"
    done <"$1"
    for handler in $(cut -f 3 "$1" | sort -u); do
        cut -f 3 "$work/wanted" | grep -qx "$handler" || fail Unsupported "$handler has no binary for linux/$arch"
    done
    [ -z "$(cut -f 3 "$work/wanted" | sort | uniq -d)" ] || fail Unsupported 'the list has a handler twice'
}

# A name becomes part of a path and of a configuration.
plain() { case $1 in '' | .* | *[!A-Za-z0-9._+-]*) return 1 ;; esac; }

# runtimes_wanted: handler and path of its binary, one a line
runtimes_wanted() { awk -F '\t' -v opt="$opt" '{ print $3, opt "/" $1 "/" $2 "/" $4 }' "$work/wanted"; }
