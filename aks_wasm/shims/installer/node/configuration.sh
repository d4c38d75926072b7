
# ---- Our text in containerd's files: how it gets in, and out again byte for byte ----

opening='# begin aks-wasm'
closing='# end aks-wasm'
mark='# aks-wasm' # after the one key that must stand inside a table of the file
made='(and made this file)'

# without_ours FILE: its text as it was before we came. Tools that write the file anew drop comments, so tables of
# handlers that we have added ($added: one a line) are also taken out by name.
without_ours() {
    awk -v added=" $(echo "$added" | tr '\n' ' ') " -v open_end="$(tail -c 1 "$1" | tr -d '\n' | wc -c)" '
        function put() { printf "%s%s", between, $0; between = "\n"; cut = 0; ours = 0 }
        /^# begin aks-wasm/ { within = 1; ours = 1; cut = /no end of line/; next }
        /^# end aks-wasm/ { within = 0; next }
        within || /^[ \t]*use_local_image_pull = true # aks-wasm$/ { next }
        /^[ \t]*\[/ {
            table = $0; gsub(/[][" \t\047]/, "", table)
            skip = match(table, /\.containerd\.runtimes\.[^.]+/) &&
                index(added, " " substr(table, RSTART + 21, RLENGTH - 21) " ")
        }
        skip { ours = 1; next }
        { put() }
        END { if (between != "" && !cut && (!open_end || ours)) printf "\n" }' "$1"
}

has_ours() {
    grep -q -e "^$opening" -e " $mark\$" "$1" && return
    for handler in $added; do
        grep -q "containerd\.runtimes\.[\"']\{0,1\}${handler}[]\"'.]" "$1" && return
    done
    return 1
}

# with_ours TEXT ID NOTE CARRY: the text and our runtimes under that plugin id
with_ours() {
    table="^[[:space:]]*\[[[:space:]]*plugins[[:space:]]*\.[[:space:]]*[\"']io\.containerd\.cri\.v1\.images[\"'][[:space:]]*\]"
    inside=no
    if [ "$pull" = true ] && grep -q "$table" "$1"; then inside=yes; fi
    if [ $inside = yes ]; then
        sed "/$table/a\\
  use_local_image_pull = true $mark" "$1"
    else
        cat "$1"
    fi
    if [ -n "$(tail -c 1 "$1")" ]; then printf '\n%s (there was no end of line)\n' "$opening"; else echo "$opening$3"; fi
    if [ "$pull/$inside" = true/no ]; then
        printf '[plugins."io.containerd.cri.v1.images"]\n  use_local_image_pull = true\n'
    fi
    while read -r handler path; do
        printf '[plugins."%s".containerd.runtimes."%s"]\n  runtime_type = "%s"\n' "$2" "$handler" "$path"
        # Before 1.7 containerd hands other shims than runc's an empty text whatever their options are.
        if at_least 1 7; then
            printf '[plugins."%s".containerd.runtimes."%s".options]\n  SystemdCgroup = %s\n' "$2" "$handler" "$cgroup"
        fi
    done <"$next/handlers"
    if [ "$4" = carry ]; then carried "$2"; fi
    echo "$closing"
}

# carried ID: runtimes that no file names, as they were without us. containerd 1.x has runc by default only as long as
# no file names any runtime.
carried() {
    for handler in $(runtimes_in "$work/before" | cut -f 1); do
        if ! cat "$base"/*.text | grep -q "$1[\"']*\.containerd\.runtimes\.[\"']*${handler}[]\"'.]"; then
            awk -v id="$1" -v wanted=".containerd.runtimes.$handler" '
                /^[ \t]*\[/ {
                    table = $0; gsub(/[][" \t\047]/, "", table)
                    at = index(table, wanted); rest = substr(table, at + length(wanted))
                    its = at && rest ~ /^(\.|$)/
                    if (its) print "[plugins.\"" id "\"" wanted rest "]"
                    next
                }
                its' "$work/dump-before"
        fi
    done
}

# imports_only ROOT-TEXT FILE...: a root text that imports just these files, those that are empty left out
imports_only() {
    text=$1
    shift
    list=
    for file in "$@"; do
        if [ -s "$file" ]; then list="$list${list:+, }\"${file#"$root"}\""; fi
    done
    if [ -n "$list" ]; then echo "imports = [$list]"; fi
    awk '
        /^[ \t]*\[/ && !skip { tables = 1 }
        !tables && /^[ \t]*imports[ \t]*=/ { skip = 1 }
        skip { if (/\]/) skip = 0; next }
        { print }' "$text"
}
