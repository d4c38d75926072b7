
# ---- Wasm tasks over a restart of containerd. From 1.7 on it asks each shim it finds at its start for processes  ----
# ---- (Pids), and gives up, as leaked, one that answers NotFound. Shims made with runwasi know no such call: their ----
# ---- containers would be reported dead (255, Unknown) and yet run on, with their ports (core/runtime/v2/shim_load.go) ----

# since PID: when the process began, in clock ticks; tells it from a later one of the same number
since() { sed -n 's/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# parent PID
parent() { sed -n 's/.*) [A-Z] \([0-9]*\) .*/\1/p' "/proc/$1/stat" 2>/dev/null; }

# mute_tasks: of each running task whose shim lists no processes: id, process and its beginning, shim and its beginning
mute_tasks() {
    ctr_k8s tasks ls >"$work/tasks" 2>/dev/null || return 1
    awk '$3 == "RUNNING" { print $1, $2 }' "$work/tasks" | while read -r id pid; do
        timeout 10 "$ctr" --namespace k8s.io tasks ps "$id" >/dev/null 2>&1 && continue
        shim=$(parent "$pid")
        echo "$id $pid $(since "$pid") $shim $(since "${shim:-none}")"
    done
}

# hold_tasks: before every restart. containerd gives up no shim whose task has a record in its sandbox store. Made for
# a task that runs, such a record is all that `sandboxes run` makes, which then fails; at its start the CRI service
# removes it. Before 2.2 not every containerd did, and would refuse to start.
hold_tasks() {
    at_least 1 7 || return 0
    if mute_tasks >"$work/mute.new"; then mv "$work/mute.new" "$work/mute"; fi
    at_least 2 2 && [ -s "$work/mute" ] || return 0
    echo '{}' >"$work/empty.json"
    while read -r id _; do
        ctr_k8s sandboxes info "$id" >/dev/null 2>&1 ||
            ctr_k8s sandboxes run "$work/empty.json" "$id" >/dev/null 2>&1 || true
    done <"$work/mute"
}

# end_lost_tasks: after a restart. What containerd has given up must not stand in the way of the container that the
# kubelet starts instead. Most modules are deaf to SIGTERM, since they are process 1 of their pod.
end_lost_tasks() {
    [ -s "$work/mute" ] && ctr_k8s tasks ls -q >"$work/known" 2>/dev/null || return 0
    while read -r id pid begin _; do
        if ! grep -qx "$id" "$work/known" && [ "$(since "$pid")" = "$begin" ]; then
            say "containerd has lost the Wasm container $id; it starts anew"
            kill -9 "$pid" 2>/dev/null || true
        fi
    done <"$work/mute"
    cut -d ' ' -f 4,5 "$work/mute" | sort -u >"$work/shims"
    while read -r shim begin; do end_empty "$shim" "$begin"; done <"$work/shims"
}

# end_empty SHIM BEGIN: ends a shim of ours that nobody needs: containerd knows none of its tasks, and no container is
# left in it
end_empty() {
    case $(readlink "/proc/$1/exe" 2>/dev/null) in "$opt"/*) ;; *) return 0 ;; esac
    its=$(tr '\000' '\n' <"/proc/$1/cmdline" | sed -n '/^-id$/ { n; p; }')
    for id in $its $(awk -v shim="$1" '$4 == shim { print $1 }' "$work/mute"); do
        if grep -qx "$id" "$work/known"; then return 0; fi
    done
    tries=0
    while has_container "$1"; do # what was just killed may take a moment
        tries=$((tries + 1))
        if [ $tries -gt 20 ]; then return 0; fi
        sleep 0.1
    done
    # shellcheck disable=SC2086
    if [ "$(since "$1")" = "$2" ]; then kill -9 "$1" $own 2>/dev/null || true; fi
}

# has_container SHIM: whether it has a living process that is not $own: its program, outside of every container
has_container() {
    own=
    for child in $(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) .*) [A-Y] $1 .*/\1/p"); do
        if [ "$(readlink "/proc/$child/exe")" = "$(readlink "/proc/$1/exe")" ] &&
            cmp -s "/proc/$child/cgroup" "/proc/$1/cgroup"; then
            own="$own $child"
        else
            return 0
        fi
    done
    return 1
}
