
# ---- Wasm tasks over a restart of containerd. From 1.7 on it asks each shim it finds at its start for processes  ----
# ---- (Pids), and gives up, as leaked, one that answers NotFound. Shims made with runwasi know no such call: their ----
# ---- containers would be reported dead (255, Unknown) and yet run on, with their ports (core/runtime/v2/shim_load.go) ----

# since PID: when the process began, in clock ticks; tells it from a later one of the same number
since() { sed -n 's/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# mute_tasks: id, process and its beginning, of each running task whose shim lists no processes
mute_tasks() {
    ctr_k8s tasks ls >"$work/tasks" 2>/dev/null || return 1
    awk '$3 == "RUNNING" { print $1, $2 }' "$work/tasks" | while read -r id pid; do
        timeout 10 "$ctr" --namespace k8s.io tasks ps "$id" >/dev/null 2>&1 || echo "$id $pid $(since "$pid")"
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
    while read -r id pid begin; do
        ctr_k8s sandboxes info "$id" >/dev/null 2>&1 ||
            ctr_k8s sandboxes run "$work/empty.json" "$id" >/dev/null 2>&1 || true
    done <"$work/mute"
}

# end_lost_tasks: after a restart. What containerd has given up must not stand in the way of the container that the
# kubelet starts instead. Most modules are deaf to SIGTERM, since they are process 1 of their pod.
end_lost_tasks() {
    [ -s "$work/mute" ] && ctr_k8s tasks ls -q >"$work/known" 2>/dev/null || return 0
    while read -r id pid begin; do
        if ! grep -qx "$id" "$work/known" && [ "$(since "$pid")" = "$begin" ]; then
            say "containerd has lost the Wasm container $id; it starts anew"
            kill -9 "$pid" 2>/dev/null || true
        fi
    done <"$work/mute"
}
