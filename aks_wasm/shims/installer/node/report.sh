
# ---- The report: one line of JSON about what is in effect ----

# quoted TEXT: as a JSON string
quoted() { printf '"%s"' "$(printf '%s' "$1" | tr '\000-\037' ' ' | sed 's/[\\"]/\\&/g')"; }

# inspect: looks at everything; $problem is empty when all is as wanted, $sound has the handlers that are
inspect() {
    problem='' sound='' shims_json=''
    find_containerd
    if [ -f "$config" ]; then version=$(version_of "$config"); else version=2; fi
    entry=$(drop_in_entry)
    : >"$work/after"
    if dump "$config" >"$work/dump"; then settings_of "$work/dump" >"$work/after"; else problem=$(last_said); fi
    runtimes_in "$work/after" >"$work/has"
    while IFS=$tab read -r name its_version handler binary _ sum; do
        path=$opt/$name/$its_version/$binary ok=true
        if ! is_unchanged "$sum" "$path"; then
            ok=false problem=${problem:-"$path is not as it was installed"}
        elif ! grep -qxF "$handler$tab$path" "$work/has"; then
            ok=false problem=${problem:-"containerd does not have the handler $handler"}
        else
            sound="$sound$handler
"
        fi
        shims_json="$shims_json${shims_json:+,}{\"handler\":\"$handler\",\"binary\":\"$path\",\"sha256\":\"$sum\",\"ok\":$ok}"
    done <"$work/wanted"
    for handler in $(cat "$state/handlers" 2>/dev/null); do
        cut -f 3 "$work/wanted" | grep -qx "$handler" || problem=${problem:-"the handler $handler is still configured"}
    done
    if [ -d "$state/pending" ] || [ -f "$state/stale" ]; then problem=${problem:-'a change was cut short'}; fi
    images_are_there || problem=${problem:-'an image of a probe is not there'}
}

# is_unchanged SUM PATH: the whole file is read again only when its inode says that something was done to it
is_unchanged() {
    seen=$(stat -c '%i %s %z' "$root$2" 2>/dev/null) || return
    note=$work/seen-$(echo "$2" | tr / _)
    if [ "$(cat "$note" 2>/dev/null)" = "$1 $seen" ]; then return; fi
    is_placed "$1" "$root$2" && echo "$1 $seen" >"$note"
}

# report ERROR: after `inspect`
report() {
    plugin=$(plugin_ids "$config" "$(imported_files | tail -n 1)" | head -n 1)
    handlers=$(cut -f 1 "$work/has" | sed 's/.*/"&"/' | paste -s -d , -)
    local_pull=false
    if ! at_least 2 1 || grep -q 'use_local_image_pull = true' "$work/after"; then local_pull=true; fi
    error=null healthy=true
    if [ -n "$1$problem" ]; then healthy=false error=$(quoted "${1:-$problem}"); fi
    printf '{"node":%s,"containerd":"%s","config":"%s","version":%s,"plugin":"%s","imports":%s,"handlers":[%s],' \
        "$(quoted "$node")" "$release" "${config#"$root"}" "$version" "${plugin%% *}" \
        "$([ -n "$entry" ] && echo true || echo false)" "$handlers"
    printf '"systemdCgroup":%s,"localImagePull":%s,"shims":[%s],"healthy":%s,"error":%s}\n' \
        "$(systemd_cgroup "$work/after")" "$local_pull" "$shims_json" "$healthy" "$error"
}
