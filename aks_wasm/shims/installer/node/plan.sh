
# ---- The plan: which files must change, tried beside those in use before anything is touched ----

# look: reads what there is. $base has each file that we are in, or may go into: N.path (its name), N.old (its text,
# if it is there) and N.text (without ours). The root file is 0, the others follow as containerd reads them.
look() {
    base=$work/base next=$work/next
    rm -rf "$base" "$next"
    mkdir "$base" "$next" || room_or DiskFull "$work"
    added=$(cat "$state/handlers" 2>/dev/null || true)
    runtimes_wanted >"$next/handlers"
    ours=$({ echo "$added"; cut -d ' ' -f 1 "$next/handlers"; } | sort -u)
    echo "$ours" >"$next/ours"
    if [ -f "$config" ]; then version=$(version_of "$config"); else version=2; fi
    remember 0 "$config"
    count=1 drop_in=
    entry=$(drop_in_entry)
    if [ -n "$entry" ]; then drop_in=$(absolute "${entry%/*}/zz-aks-wasm.toml"); fi
    for file in $({ imported_files; echo "$drop_in"; } | awk '$0 && !seen[$0]++'); do
        remember $count "$file"
        count=$((count + 1))
    done
}

remember() {
    echo "$2" >"$base/$1.path"
    if [ ! -f "$2" ]; then
        echo "version = $version" >"$base/$1.text"
        return
    fi
    cp -p "$2" "$base/$1.old" || room_or DiskFull "$work"
    if has_ours "$2"; then without_ours "$2" >"$base/$1.text"; else cp "$2" "$base/$1.text"; fi
}

# measure: what containerd has without us is what it must have afterwards
measure() {
    make_trial none
    dump "$trial" >"$work/dump-before" || fail ConfigRefused "containerd cannot read its configuration as it is: $(last_said)"
    settings_of "$work/dump-before" >"$work/before"
    others_in "$work/before" >"$next/others"
    cgroup=$(systemd_cgroup "$work/before")
    for handler in $(cut -d ' ' -f 1 "$next/handlers"); do
        if runtimes_in "$work/before" | cut -f 1 | grep -qx "$handler"; then
            fail ConfigRefused "the handler $handler is configured already, and not by aks-wasm"
        fi
    done
    pull=false # a file that has the key already has its reasons
    if at_least 2 1 && [ "$(setting local_image_pull false)" = true ] &&
        ! cat "$base"/*.text | grep -Eq '^[[:space:]]*use_local_image_pull[[:space:]]*='; then
        pull=true
    fi
}

last_said() { grep -v 'level=\(info\|warning\)' "$work/said" | tail -n 1 | cut -c 1-300; }

# make_trial N: the root file beside the real one, since imports are relative to it, with N.try in place of N.text
make_trial() {
    trial=$config.aks-wasm-trial
    mkdir -p "${config%/*}"
    set -- "$1" "$base/0.text"
    if [ "$1" = 0 ]; then set -- 0 "$base/0.try"; fi
    i=1
    while [ $i -lt $count ]; do
        if [ $i = "$1" ]; then
            set -- "$@" "$base/$i.try"
        elif [ -f "$base/$i.old" ] && [ "$(cat "$base/$i.path")" != "$drop_in" ]; then
            set -- "$@" "$base/$i.text"
        fi
        i=$((i + 1))
    done
    shift
    imports_only "$@" >"$trial" || room_or DiskFull "${config%/*}"
}

# choose: the first place and plugin id with which containerd has all it had before, unchanged, and all that is wanted.
# First our own drop-in where the root file imports a folder, then the root file, then what is imported after it: from
# the last file that has a CRI section containerd 1.x takes all of it.
choose() {
    first='' places=0
    i=1
    while [ $i -lt $count ]; do
        if [ "$(cat "$base/$i.path")" = "$drop_in" ]; then places="$i $places"; else places="$places $i"; fi
        i=$((i + 1))
    done
    ids=$(plugin_ids "$base"/*.text)
    for target in $places; do
        note=
        if [ ! -f "$base/$target.old" ] || grep -qF "$opening $made" "$base/$target.old"; then note=" $made"; fi
        for id in $ids; do
            for carry in bare carry; do
                with_ours "$base/$target.text" "$id" "$note" $carry >"$base/$target.try"
                make_trial "$target"
                if has_effect "$trial" "$next"; then return; fi
                if [ -z "$first" ]; then first=$refused first_refusal=$refusal; fi
            done
        done
    done
    fail "$first_refusal" "$first"
}

# has_effect FILE FOLDER: would containerd have our handlers with our binaries, and all the others as they were
has_effect() {
    refusal=ConfigRefused
    if ! dump "$1" >"$work/dump"; then
        refused="containerd cannot read the new configuration: $(last_said)"
        return 1
    fi
    settings_of "$work/dump" >"$work/after"
    runtimes_in "$work/after" >"$work/has"
    refusal=HandlerDropped
    while read -r handler path; do
        if ! grep -qxF "$handler$tab$path" "$work/has"; then
            refused="with the new configuration containerd would not have the handler $handler"
            return 1
        fi
    done <"$2/handlers"
    ours=$(cat "$2/ours")
    others_in "$work/after" >"$work/others"
    if ! cmp -s "$2/others" "$work/others"; then
        lost=$(comm -23 "$2/others" "$work/others" | head -n 1 | tr '\t' ' ')
        refused="with the new configuration containerd would no longer have \`${lost:-what it had before}\`"
        return 1
    fi
}

# plan: $next gets N.path, N.old and N.new of each file that must change; a file without N.new goes
plan() {
    look
    measure
    target=none
    if [ -s "$next/handlers" ]; then
        choose
        # What can't be taken out again byte for byte is not put in.
        without_ours "$base/$target.try" >"$work/undone"
        cmp -s "$base/$target.text" "$work/undone" ||
            fail ConfigRefused 'what is added could not be taken out again: the file has lines that look like ours'
    fi
    rm -f "$trial"
    i=0
    while [ $i -lt $count ]; do
        keep_change $i
        i=$((i + 1))
    done
}

keep_change() {
    text=$base/$1.text
    if [ "$1" = "$target" ]; then text=$base/$1.try; fi
    if [ ! -f "$base/$1.old" ]; then
        [ "$1" = "$target" ] || return 0
    elif cmp -s "$text" "$base/$1.old"; then
        return 0
    else
        cp -p "$base/$1.old" "$next/$1.old"
    fi
    cp "$base/$1.path" "$next/$1.path"
    if [ "$1" != "$target" ] && grep -qF "$opening $made" "$base/$1.old" && [ "$(grep -c . "$text")" = 1 ]; then
        return 0 # nothing but the version is left of what we made
    fi
    cp "$text" "$next/$1.new" || room_or DiskFull "$work"
}

must_change() { ls "$next"/*.path >/dev/null 2>&1; }
