
# ---- Labels of the node: set with kubelet's own credential, which may write to this node only ----

kubelet() { kubectl --kubeconfig "$(kubelet_config)" --request-timeout=10s "$@" 2>"$work/said"; }

labelled() {
    kubelet get node "$node" -o 'jsonpath={.metadata.labels}' | tr ',{}' '\n\n\n' |
        sed -n 's/.*"handler\.aks-wasm\.dev\/\([^"]*\)":"ready".*/\1/p'
}

# probed: handlers whose probe runs here: a pod of the DaemonSet shim-probe-HANDLER that is ready
probed() {
    kubelet get pods -n "$(setting namespace aks-wasm-system)" --field-selector "spec.nodeName=$node" \
        -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' |
        sed -n 's/^shim-probe-\(.*\)-[a-z0-9]\{5\} True$/\1/p'
}

# label HANDLERS: those get the label if their probe is ready; every other one loses it. Fails while one is awaited.
label() {
    command -v kubectl >/dev/null || return 0
    has=$(labelled) && ready=$(probed) || return 0
    changes='' awaited=0
    for handler in $1; do
        if ! echo "$ready" | grep -qx "$handler"; then
            awaited=1
        elif ! echo "$has" | grep -qx "$handler"; then
            changes="$changes handler.aks-wasm.dev/$handler=ready"
        fi
    done
    for handler in $has; do
        if ! echo "$1" | grep -qx "$handler" || ! echo "$ready" | grep -qx "$handler"; then
            changes="$changes handler.aks-wasm.dev/$handler-"
        fi
    done
    # shellcheck disable=SC2086
    if [ -n "$changes" ]; then kubelet label --overwrite node "$node" $changes >/dev/null || awaited=1; fi
    return $awaited
}
