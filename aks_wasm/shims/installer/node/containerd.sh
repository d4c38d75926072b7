
# ---- containerd: which one runs here, what it reads, what it makes of it ----

# The unit tells which program and which file; both may be elsewhere than usual.
find_containerd() {
    started=$(systemctl show -p ExecStart containerd 2>/dev/null | sed -n 's/.*argv\[\]=\([^;]*\) ;.*/\1/p' | tail -n 1)
    [ -n "$started" ] || fail Unsupported 'this node has no containerd.service'
    containerd=$root${started%% *}
    [ -x "$containerd" ] || fail Unsupported "${started%% *} is not there"
    config=$(printf '%s\n' "$started" | sed -n -e 's/.* --config[ =]\([^ ]*\).*/\1/p' -e 's/.* -c[ =]\([^ ]*\).*/\1/p')
    config=$root${config:-/etc/containerd/config.toml}
    if [ -L "$config" ]; then config=$(readlink -f "$config"); fi
    ctr=${containerd%/*}/ctr
    [ -x "$ctr" ] || ctr=ctr
    release=$("$containerd" --version | sed -n 's/^containerd [^ ]* v\{0,1\}\([0-9]*\.[0-9.]*[0-9]\).*/\1/p')
    [ -n "$release" ] || fail Unsupported "${started%% *} does not tell its version"
}

# at_least MAJOR MINOR
at_least() {
    minor=${release#*.}
    [ "${release%%.*}" -gt "$1" ] || { [ "${release%%.*}" -eq "$1" ] && [ "${minor%%.*}" -ge "$2" ]; }
}

# dump FILE: what containerd makes of a configuration; without one it has defaults
dump() {
    if [ ! -f "$1" ]; then set -- /dev/null; fi
    timeout 60 "$containerd" -c "$1" config dump 2>"$work/said"
}

# settings_of DUMP: one setting a line, `table<tab>key = value`, without quotes in the table; imports name files
settings_of() {
    awk '
        /^[ \t]*\[/ { table = $0; gsub(/[][" \t\047]/, "", table); skip = 0; next }
        table == "" && /^imports/ { skip = 1 }
        skip { if (/\]/) skip = 0; next }
        { sub(/^[ \t]+/, ""); if ($0 != "") print table "\t" $0 }' "$1"
}

# runtimes_in SETTINGS: handler, a tab, and its runtime_type, one a line
runtimes_in() {
    sed -n "s/^plugins\.[^$tab]*\.containerd\.runtimes\.\([^.$tab]*\)${tab}runtime_type = [\"']\(.*\)[\"']\$/\1$tab\2/p" "$1" |
        sort -u
}

# others_in SETTINGS: all that is not of our handlers ($ours: one a line) and not the key we may set
others_in() {
    awk -v ours=" $(echo "$ours" | tr '\n' ' ') " -F '\t' '
        match($1, /\.containerd\.runtimes\.[^.]+/) {
            if (index(ours, " " substr($1, RSTART + 21, RLENGTH - 21) " ")) next
        }
        /\tuse_local_image_pull = / { next }
        { print }' "$1" | sort
}

# systemd_cgroup SETTINGS: what runc has, or the runtime that is used by default
systemd_cgroup() {
    default=$(sed -n "s/^plugins.*${tab}default_runtime_name = [\"']\(.*\)[\"']\$/\1/p" "$1" | head -n 1)
    for runtime in runc "${default:-runc}"; do
        value=$(sed -n "s/^plugins.*\.runtimes\.$runtime\.options${tab}SystemdCgroup = //p" "$1" | head -n 1)
        if [ -n "$value" ]; then echo "$value"; return; fi
    done
    echo false
}

# top_level KEY FILE: its value before the file's first table, comments left out: only there `version` and `imports` are
# containerd's. A list has one entry a line, without quotes.
top_level() {
    awk -v key="$1" '
        /^[ \t]*\[/ && !open { exit }
        { sub(/#.*/, "") }
        !open && match($0, "^[ \t]*" key "[ \t]*=") { open = 1; $0 = substr($0, RSTART + RLENGTH); text = "" }
        open { text = text " " $0; if (text !~ /\[/ || text ~ /\]/) { open = 0; found = 1; exit } }
        END {
            if (!found) exit
            gsub(/^[ \t]*\[|\][ \t]*$/, "", text)
            for (n = split(text, part, ","); ++i <= n; ) {
                gsub(/^[ \t]*["\047]?|["\047]?[ \t]*$/, "", part[i])
                if (part[i] != "") print part[i]
            }
        }' "$2" 2>/dev/null
}

# version_of FILE: a file without one is of the first
version_of() {
    found=$(top_level version "$1")
    echo "${found:-1}"
}

# imports_of FILE: what the file really imports, one a line. The dump's word is no proof: it prints a default.
imports_of() { top_level imports "$1"; }

# absolute ENTRY: an import is relative to its file
absolute() { case $1 in /*) echo "$root$1" ;; *) echo "${config%/*}/$1" ;; esac; }

# imported_files: those of the root file, in the order containerd reads them
imported_files() {
    imports_of "$config" | while read -r entry; do
        for file in $(absolute "$entry"); do
            if [ -f "$file" ]; then echo "$file"; fi
        done
    done
}

# drop_in_entry: the first import that takes in any file of a folder that is there
drop_in_entry() {
    imports_of "$config" | while read -r entry; do
        path=$(absolute "$entry")
        case $path in */\*.toml) if [ -d "${path%/*}" ]; then echo "$entry"; break; fi ;; esac
    done
}

# plugin_ids FILE...: ids under which runtimes may stand, the likeliest first. AKS writes `version = 2` with the ids of
# containerd 2, so the version alone says nothing; containerd drops what stands under the other id.
plugin_ids() {
    old=io.containerd.grpc.v1.cri new=io.containerd.cri.v1.runtime
    if [ "$version" = 1 ]; then echo cri; fi
    if ! at_least 2 0; then
        echo $old
    elif cat "$@" 2>/dev/null | grep -v '^[[:space:]]*#' | grep -q "$new"; then
        echo $new $old
    elif cat "$@" 2>/dev/null | grep -v '^[[:space:]]*#' | grep -q "$old"; then
        echo $old $new
    else
        echo $new $old
    fi
}

# ctr_k8s WORDS: kubelet's images and containers are in this namespace
ctr_k8s() { "$ctr" --namespace k8s.io "$@" </dev/null; }

# answers: containerd takes requests, and its CRI service has no error
answers() {
    timeout 10 "$ctr" version >/dev/null 2>&1 &&
        timeout 10 "$ctr" plugins ls 2>/dev/null | grep -Eq '^io\.containerd\.grpc\.v1 +cri +.* ok *$'
}
