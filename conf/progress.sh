# Sourced by the scripts beside it: run a command quietly, with a dot every two seconds, and show its last words
# when it fails.

progress_log=$(mktemp)
trap 'rm -f "$progress_log"' EXIT

# progress WORDS COMMAND...
progress() {
    printf '%s ' "$1"
    shift
    "$@" >"$progress_log" 2>&1 </dev/null &
    progress_pid=$!
    progress_second=0
    while kill -0 "$progress_pid" 2>/dev/null; do
        sleep 0.5
        progress_second=$((progress_second + 1))
        [ $((progress_second % 4)) -ne 0 ] || printf .
    done
    if wait "$progress_pid"; then
        echo " done"
    else
        echo " FAILED" >&2
        tail -n 25 "$progress_log" >&2
        return 1
    fi
}
