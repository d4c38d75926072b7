
# ---- The verbs ----

install() {
    one_at_a_time
    find_containerd
    work=$root$opt/.work
    fresh_work
    trap 'give_back; rm -rf "$work" "$config.aks-wasm-trial"; rmdir "$root$opt" 2>/dev/null || true' EXIT
    trap 'exit 143' TERM INT HUP
    recover
    read_list "$1"
    place_all
    import_images
    plan
    if must_change || [ -f "$state/stale" ]; then
        take_turn
        if [ -n "$turn" ]; then plan; fi # somebody may have written to the files while this node waited
        change
        give_back
        say "containerd $release is back with: $(cut -d ' ' -f 1 "$next/handlers" | tr '\n' ' ')"
    else
        say 'the configuration is as it should be'
    fi
    prune
    if [ ! -s "$work/wanted" ]; then leave; fi
}

# leave: nothing of ours stays on the node but what still runs
leave() {
    left=$(still_used)
    work=$run
    label '' || true
    rm -rf "$root$opt/.work" "$state"
    rmdir "$root$opt" 2>/dev/null || [ -z "$left" ] || say "left until nothing runs it: $left"
}

check() {
    work=$run/check.$$
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"
    read_list "$folder/shims.tsv"
    inspect
    report ''
    [ -z "$problem" ]
}

# keep: a loop that a signal ends at once
keep() {
    work=$run/keep
    trap 'rm -f "$run/healthy"; exit 0' TERM INT
    rm -rf "$work" "$run/healthy"
    mkdir -p "$work"
    said='' quick=100
    while :; do
        read_list "$folder/shims.tsv"
        prune
        inspect
        error=
        if [ -n "$problem" ]; then
            say "$problem"
            rm -f "$run/healthy"
            label "$sound" || true
            # shellcheck disable=SC2094
            (install "$folder/shims.tsv") 2>"$work/errors" || error=$(sed -n 's/^aks-wasm: error: //p' "$work/errors" | tail -n 1)
            cat "$work/errors" >&2
            prune
            inspect
        fi
        pause=30
        # The installer is to go where nothing is wanted any more: not before the last binary could.
        if [ ! -s "$work/wanted" ] && [ -n "$leaving" ]; then
            error=${error:-"StillUsed: $(still_used)"} pause=2
        fi
        if [ -z "$problem$error" ]; then : >"$run/healthy"; else rm -f "$run/healthy"; fi
        line=$(report "$error")
        if [ "$line" != "$said" ]; then said=$line quick=100; echo "$line"; fi
        # Labels follow the probes soon after a change, later with the rest.
        until label "$sound" || [ $quick = 0 ] || [ $pause = 0 ]; do
            quick=$((quick - 1)) pause=$((pause - 2))
            sleep 2 & wait $!
        done
        sleep $pause & wait $!
    done
}

[ -d "$folder" ] || fail Unsupported 'usage: node-script.sh install|keep|check|remove FOLDER'
case $verb in
    install) install "$folder/shims.tsv" ;;
    remove) install /dev/null ;;
    keep) keep ;;
    check) check ;;
    apply)
        find_containerd
        apply
        ;;
    *) fail Unsupported 'usage: node-script.sh install|keep|check|remove FOLDER' ;;
esac
