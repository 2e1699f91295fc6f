# Waiting for facts, always with a limit.

# wait_until SECONDS WHAT COMMAND...: repeats COMMAND until it succeeds; WHAT completes the sentence
# "gave up after SECONDS s waiting for …".
wait_until() {
  local seconds=$1 what=$2
  shift 2
  local deadline=$((SECONDS + seconds))
  until "$@"; do
    if ((SECONDS >= deadline)); then
      complain "gave up after $seconds s waiting for $what"
      return 1
    fi
    sleep 0.05
  done
}

# The last complaint is what the summary of a failed run says.
complain() {
  # shellcheck disable=SC2034  # read in steps.bash
  last_complaint=$*
  printf '%s\n' "$*" >&2
}

process_is_gone() { ! kill -0 "$1" 2>/dev/null; }

milliseconds_now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
