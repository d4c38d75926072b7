
# ---- Turns: who holds one of the leases may restart containerd ----

# take_turn: waits for a lease; $turn is its name. A holder of more than ten minutes is overtaken.
take_turn() {
    turn=
    if [ "$(setting turns 0)" = 0 ]; then return; fi
    turn_kubeconfig
    began=$(date +%s) waits=0
    until take_any; do
        [ $(($(date +%s) - began)) -lt 1800 ] ||
            fail NoTurn "no turn to restart containerd came within half an hour: $holders"
        if [ $((waits % 15)) = 0 ]; then say "waiting for a turn to restart containerd: $holders"; fi
        waits=$((waits + 1))
        sleep 2 9>&-
    done
}

# The service account's token, for the API server that kubelet talks to.
turn_kubeconfig() {
    command -v kubectl >/dev/null || fail NoTurn 'this node has no kubectl to take a turn with'
    for token in "$root/var/lib/kubelet/pods/${POD_UID:-}"/volumes/kubernetes.io~projected/*/token; do
        [ -f "$token" ] || fail NoTurn "the pod's token is not on this node"
    done
    cluster=$(kubectl config view --kubeconfig "$(kubelet_config)" --raw --flatten --minify \
        -o 'jsonpath={.clusters[0].cluster}') || fail NoTurn "kubelet's configuration names no API server"
    (
        umask 077
        cat >"$run/turn.kubeconfig" <<-EOF
		{"apiVersion": "v1", "kind": "Config", "current-context": "turn",
		 "clusters": [{"name": "turn", "cluster": $cluster}],
		 "users": [{"name": "turn", "user": {"tokenFile": "$token"}}],
		 "contexts": [{"name": "turn", "context": {"cluster": "turn", "user": "turn"}}]}
		EOF
    )
}

leases() {
    kubectl --kubeconfig "$run/turn.kubeconfig" --request-timeout=10s -n "$(setting namespace aks-wasm-system)" "$@" \
        2>"$work/said" 9>&-
}

take_any() {
    holders=
    lease=0
    while [ $lease -lt "$(setting turns 0)" ]; do
        if take "shim-installer-$lease"; then
            turn=shim-installer-$lease
            return
        fi
        lease=$((lease + 1))
    done
    return 1
}

# take LEASE: free, ours from a run before, or held for too long. The patch is refused if anybody was quicker.
take() {
    was=$(leases get lease "$1" -o 'jsonpath={.metadata.resourceVersion}|{.spec.renewTime}|{.spec.holderIdentity}') || {
        holders=$(last_said)
        return 1
    }
    holder=${was##*|} since=${was#*|}
    since=${since%%|*}
    limit=$(date -u -d "@$(($(date +%s) - 600))" +%Y-%m-%dT%H:%M:%S)
    if [ -n "$holder" ] && [ "$holder" != "$node" ] && [ -n "$since" ] &&
        [ "$(printf '%s\n' "$since" "$limit" | sort | head -n 1)" = "$limit" ]; then
        holders="$holders$1 is with $holder since $since; "
        return 1
    fi
    now=$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)
    spec='{"holderIdentity":"'$node'","leaseDurationSeconds":600,"acquireTime":"'$now'","renewTime":"'$now'"}'
    leases patch lease "$1" --type=json -p '[{"op":"test","path":"/metadata/resourceVersion","value":"'"${was%%|*}"'"},
        {"op":"add","path":"/spec","value":'"$spec"'}]' >/dev/null
}

give_back() {
    if [ -z "${turn:-}" ]; then return; fi
    leases patch lease "$turn" --type=json -p '[{"op":"test","path":"/spec/holderIdentity","value":"'"$node"'"},
        {"op":"add","path":"/spec/holderIdentity","value":""}]' >/dev/null || say "the turn could not be given back"
    turn=
}
