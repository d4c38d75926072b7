
# ---- Images of the probes: imported from the list's folder, since a node may reach no registry ----

# images_in ARCHIVE: names in its index
images_in() {
    tar -xOf "$1" index.json | tr ',{}' '\n\n\n' |
        sed -n 's/^[[:space:]]*"io\.containerd\.image\.name"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p'
}

# images_wanted: the archive's sum, the image's name, the archive, one image a line
images_wanted() {
    for archive in "$folder"/probes/*.tar; do
        [ -f "$archive" ] || continue
        sum=$(sum_of "$archive")
        for image in $(images_in "$archive"); do echo "$sum $image $archive"; done
    done
}

# image_is_there SUM NAME
image_is_there() {
    grep -qxF "$1 $2" "$state/images" 2>/dev/null && ctr_k8s images list -q "name==$2" 2>/dev/null | grep -q .
}

import_images() {
    images_wanted >"$work/images"
    while read -r sum image archive; do
        image_is_there "$sum" "$image" || echo "$archive"
    done <"$work/images" | sort -u >"$work/archives"
    while read -r archive; do
        ctr_k8s images import --all-platforms --no-unpack "$archive" >/dev/null 2>"$work/said" ||
            room_or Unsupported "$root$opt" "$(basename "$archive") cannot be imported: $(tail -n 1 "$work/said")"
        # kubelet removes images that nothing has used for a while, but no pinned ones.
        for image in $(images_in "$archive"); do
            at_least 1 7 && ctr_k8s images label "$image" io.cri-containerd.pinned=pinned >/dev/null 2>&1 || true
        done
    done <"$work/archives"
    while read -r _ image; do
        cut -d ' ' -f 2 "$work/images" | grep -qxF "$image" || ctr_k8s images rm "$image" >/dev/null 2>&1 || true
    done <<-EOF
	$(cat "$state/images" 2>/dev/null)
	EOF
    if [ -s "$work/images" ]; then
        mkdir -p "$state"
        cut -d ' ' -f 1,2 "$work/images" >"$state/images"
    else
        rm -f "$state/images"
    fi
}

images_are_there() {
    images_wanted >"$work/images"
    while read -r sum image _; do
        image_is_there "$sum" "$image" || return
    done <"$work/images"
}
