# Long commands with a short voice: their output goes to a log, a line every half minute says that
# they are still at work, and only a failure shows what they said.

readonly quiet_report_seconds=30 quiet_tail_lines=60

# quietly LOG COMMAND...: returns the status of COMMAND.
quietly() {
  local log=$1 reporter status=0
  shift
  mkdir -p "$(dirname "$log")"
  report_that_work_goes_on "$(basename "$1")" &
  reporter=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$reporter" 2>/dev/null || true
  wait "$reporter" 2>/dev/null || true
  if ((status != 0)); then
    printf 'failed (exit %d): %s\n' "$status" "$*" >&2
    tail -n "$quiet_tail_lines" "$log" >&2
    printf 'all of it: %s\n' "$log" >&2
  fi
  return "$status"
}

# Sleeps in a read, which unlike sleep(1) leaves no process behind when it is killed.
report_that_work_goes_on() {
  local silence started=$SECONDS
  exec {silence}<> <(:)
  while kill -0 $$ 2>/dev/null; do
    read -r -t "$quiet_report_seconds" -u "$silence" || true
    printf '   … %s has been at work for %d s\n' "$1" $((SECONDS - started))
  done
}
