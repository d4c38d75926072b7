
# ---- Fetching: https, a file of the node, parts that came with the list, a file in an image ----

# fetch LOCATION FILE
fetch() {
    case $1 in
        file://*)
            [ -f "$root${1#file://}" ] || fail NotFound "$1 is not on this node"
            cp "$root${1#file://}" "$2" || room_or DownloadFailed "$work"
            ;;
        parts://*) join_parts "${1#parts://}" "$2" ;;
        oci://*) from_image "${1#oci://}" "$2" ;;
        http://* | https://*) download "$1" "$2" ;;
        *) fail Unsupported "$1 is of no kind known here" ;;
    esac
}

# A binary that came in pieces, compressed; its sum in the list is that of the binary.
join_parts() {
    plain "$1" && [ -f "$folder/parts/$1/part-000" ] || fail NotFound "the parts of $1 did not come with the list"
    cat "$folder/parts/$1"/part-* | gzip -dc >"$2" 2>"$work/said" ||
        room_or Truncated "$work" "the parts of $1 cannot be joined: $(tail -n 1 "$work/said")"
}

# from_image REF//PATH FILE: an image that is there already is not pulled
from_image() {
    reference=${1%%//*} path=${1#*//}
    case /$path/ in */../*) fail Unsupported "$path is no path in an image" ;; esac
    if ! ctr_k8s images list -q "name==$reference" 2>/dev/null | grep -q .; then pull "$reference"; fi
    mkdir "$work/image"
    ctr_k8s images mount "$reference" "$work/image" >/dev/null 2>"$work/said" ||
        fail DownloadFailed "cannot look into $reference: $(tail -n 1 "$work/said")"
    done=0
    cp "$work/image/$path" "$2" 2>/dev/null || done=1
    there=$([ -f "$work/image/$path" ] && echo yes || echo no)
    ctr_k8s images unmount --rm "$work/image" >/dev/null 2>&1 || umount "$work/image" 2>/dev/null || true
    [ "$there" = yes ] || fail NotFound "$reference has no file $path"
    [ $done = 0 ] || room_or DownloadFailed "$work"
}

# pull REF: without a login, but with the mirrors, certificates and headers that the node has for registries
pull() {
    hosts=$({ dump "$config" || true; } | sed -n "s/^[[:space:]]*config_path = [\"']\([^:\"']*\).*/\1/p" | grep . | head -n 1)
    if [ -n "$hosts" ] && [ -d "$root$hosts" ]; then set -- "$1" --hosts-dir "$hosts"; fi
    reference=$1
    shift
    if ctr_k8s images pull "$@" "$reference" >/dev/null 2>"$work/said"; then return; fi
    why=$(tail -n 1 "$work/said" | cut -c 1-300)
    case $why in
        # A registry may say of what one may not see that it is not there: what it wants is told first.
        *': 401'* | *' 401 '* | *': 403'* | *' 403 '* | *'authorization failed'* | *'no basic auth'* | *insufficient_scope*)
            fail Unauthorized "the registry of $reference wants a login for it: $why"
            ;;
        *'not found'*) fail NotFound "$reference is not in its registry: $why" ;;
    esac
    if grep -qi 'no space' "$work/said"; then room_or DownloadFailed "$root/var"; fi
    fail DownloadFailed "cannot pull $reference: $why"
}

# download URL FILE: four attempts at what may pass; a 404 does not
download() {
    attempt=1
    while :; do
        verdict=$(with_curl_or_wget "$1" "$2" 9>&-)
        case $verdict in
            fetched) return ;;
            absent*) fail NotFound "$1: $verdict" ;;
            'NoRoom') room_or DownloadFailed "$work" ;;
        esac
        [ $attempt -lt 4 ] || break
        say "$1: $verdict; attempt $attempt of 4"
        sleep $((attempt * 2)) 9>&-
        attempt=$((attempt + 1))
    done
    case $verdict in
        cut*) fail Truncated "$1: the download was cut short" ;;
        *) fail DownloadFailed "$1: $verdict" ;;
    esac
}

# with_curl_or_wget URL FILE: says fetched, absent..., NoRoom, cut..., or what went wrong
with_curl_or_wget() {
    code=0
    if command -v curl >/dev/null; then
        status=$(curl -fsSL --connect-timeout 20 --speed-time 60 --speed-limit 1 -w '%{http_code}' -o "$2" "$1" \
            2>"$work/said") || code=$?
        case $code/$status in
            0/*) echo fetched ;;
            22/404 | 22/410) echo "absent, HTTP status $status" ;;
            18/*) echo 'cut short' ;;
            23/*) echo NoRoom ;;
            *) tail -n 1 "$work/said" | grep . || echo "curl ended with $code" ;;
        esac
    else
        # GNU's would try 20 times by itself, and is told so in a file: Debian's busybox crashes at the option -T.
        printf 'tries = 1\ntimeout = 60\n' >"$work/wgetrc"
        WGETRC=$work/wgetrc timeout 1800 wget -O "$2" "$1" >/dev/null 2>"$work/said" || code=$?
        status=$(sed -n 's/.*\(ERROR\|HTTP\/[0-9.]*\) \([45][0-9][0-9]\)[: ].*/\2/p' "$work/said" | tail -n 1)
        if [ $code = 0 ]; then
            echo fetched
        elif [ "$status" = 404 ] || [ "$status" = 410 ]; then
            echo "absent, HTTP status $status"
        elif grep -qi 'no space' "$work/said"; then
            echo NoRoom
        elif grep -q -e 'closed prematurely' -e 'closed at byte' "$work/said"; then
            echo 'cut short'
        else
            grep . "$work/said" | tail -n 1 | grep . || echo "wget ended with $code"
        fi
    fi
}
