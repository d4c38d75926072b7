
# ---- The change itself: files, restart, and back again. It runs apart from the container, so that its end is not ----
# ---- left to a container that may go at any moment; what a cut leaves in $state is undone by the next run        ----

# change: puts $next in place and waits for the verdict
change() {
    key=$({ echo "$release"; cat "$next"/*; } 2>/dev/null | sum_of -)
    refuse_the_refused
    mkdir -p "$state" || room_or DiskFull "$root$opt"
    if [ -f "$config" ] && [ ! -f "$state/before" ]; then
        cp -p "$base/0.text" "$state/before" || room_or DiskFull "$state"
    fi
    rm -rf "$state/verdict" "$state/.pending"
    cp -Rp "$next" "$state/.pending" || room_or DiskFull "$state"
    mv "$state/.pending" "$state/pending"
    say 'restarting containerd'
    if [ -z "$root" ] && systemd-run --quiet --collect --unit=aks-wasm-apply /bin/sh "$script" apply "$folder" 2>/dev/null; then
        while is_applying; do sleep 0.2 9>&-; done
    else
        (apply) || true
    fi
    read -r code words 2>/dev/null <"$state/verdict" || fail RestartFailed 'the change was cut short'
    rm -f "$state/verdict"
    case $code in
        applied) rm -f "$run/refused" ;;
        RolledBack | RestartFailed) echo "$key $(date +%s) $((times + 1))" >"$run/refused" ;;
    esac
    [ "$code" = applied ] || fail "$code" "$words"
}

# A change that containerd did not come back with is tried twice, then once an hour: each try restarts it two times.
refuse_the_refused() {
    read -r refused_key since times 2>/dev/null <"$run/refused" || times=0
    if [ "${refused_key:-}" != "$key" ]; then times=0; fi
    if [ "$times" -ge 2 ] && [ $(($(date +%s) - since)) -lt 3600 ]; then
        fail RolledBack "containerd did not come back with this configuration $times times; it is tried once an hour"
    fi
}

is_applying() {
    case $(systemctl show -p ActiveState aks-wasm-apply 2>/dev/null) in
        *=active | *=activating | *=deactivating) ;;
        *) return 1 ;;
    esac
}

apply() {
    work=$state/pending
    if ! stage; then
        unstage
        verdict DiskFull "no room for the new configuration in ${config%/*}"
        return
    fi
    swap new
    if ! has_effect "$config" "$state/pending"; then
        swap old
        verdict "$refusal" "$refused"
    elif restart; then
        cut -d ' ' -f 1 "$state/pending/handlers" >"$state/handlers"
        verdict applied
    else
        swap old
        if restart; then
            verdict RolledBack "containerd did not come back with the new configuration ($first_why); it has its old one"
        else
            verdict RestartFailed "containerd does not come back with its old configuration either ($why)"
        fi
    fi
}

# verdict CODE WORDS: the change is over, whatever came of it
verdict() {
    unstage
    echo "$*" >"$state/verdict"
    rm -rf "$state/pending"
}

# stage: lays the new and the old text beside each file, with its owner and mode, so that every step from here on is
# a rename, which needs no room
stage() {
    for path in "$state"/pending/*.path; do
        [ -f "$path" ] || continue
        n=${path%.path} file=$(cat "$path")
        if [ -f "$n.old" ]; then
            cp -p "$n.old" "$file.aks-wasm-old" || return 1
            cp -p "$n.old" "$file.aks-wasm-new" || return 1
        fi
        if [ -f "$n.new" ]; then cat "$n.new" >"$file.aks-wasm-new" || return 1; fi
        sync "$file.aks-wasm-new" "$file.aks-wasm-old" 2>/dev/null || true
    done
}

unstage() {
    for path in "$state"/pending/*.path; do
        [ -f "$path" ] || continue
        file=$(cat "$path")
        rm -f "$file.aks-wasm-old" "$file.aks-wasm-new"
    done
}

# swap new|old
swap() {
    for path in "$state"/pending/*.path; do
        [ -f "$path" ] || continue
        file=$(cat "$path")
        if [ -f "${path%.path}.$1" ]; then mv "$file.aks-wasm-$1" "$file"; else rm -f "$file"; fi
    done
}

# restart: containerd, and wait until it and its CRI service answer; $why tells what went wrong
restart() {
    why=
    hold_tasks
    if ! timeout 120 systemctl restart containerd 2>"$work/said" 9>&-; then
        why=$(systemctl status containerd 2>/dev/null | sed -n 's/.*containerd: //p' | tail -n 1 | cut -c 1-200)
        why=${why:-$(head -n 1 "$work/said" | cut -c 1-200)}
        first_why=${first_why:-$why}
        return 1
    fi
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ $tries -ge 100 ]; then why='it does not answer'; first_why=${first_why:-$why}; return 1; fi
        sleep 0.3
    done
    rm -f "$state/stale"
    end_lost_tasks
}

# recover: undoes what a cut run left half done. Which files the running containerd has read is then not known, so
# it is restarted by the next change, or for its own sake.
recover() {
    while is_applying; do sleep 0.2 9>&-; done
    rm -rf "$state/.pending" "$config.aks-wasm-trial"
    if [ ! -d "$state/pending" ]; then return; fi
    say 'an earlier run was cut short; its change is undone first'
    : >"$state/stale"
    for path in "$state"/pending/*.path; do
        [ -f "$path" ] || continue
        n=${path%.path} file=$(cat "$path")
        if ! is_swapped "$n" "$file"; then rm -f "$file.aks-wasm-old" "$file.aks-wasm-new" "$path"; fi
    done
    swap old
    unstage
    rm -rf "$state/pending"
}

# is_swapped N FILE: it has what that run put there, and not what somebody wrote since
is_swapped() {
    if [ -f "$1.old" ] && [ ! -f "$2.aks-wasm-old" ]; then return 1; fi
    if [ -f "$1.new" ]; then cmp -s "$1.new" "$2"; else [ ! -f "$2" ]; fi
}
