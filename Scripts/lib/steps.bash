# A scenario as a list of steps: each has a title, is timed, and ends with a finding, which is what a
# reader of the summary wants to know. Results go to $steps_file, a line per step:
# ok or FAILED, milliseconds, title, finding, separated by tabs.

step_title=''

steps_begin() {
  steps_file=$1
  : >"$steps_file"
}

# step TITLE FUNCTION: a failing command in FUNCTION ends the script; its EXIT trap then calls
# step_failed.
step() {
  step_title=$1 step_finding=''
  step_started=$(milliseconds_now)
  printf '\n== %s\n' "$step_title"
  "$2"
  step_record ok
  printf '   ok, %s\n' "$(as_seconds $(($(milliseconds_now) - step_started)))"
  step_title=''
}

note() { printf '   %s\n' "$*"; }

finding() {
  step_finding=$*
  note "$@"
}

# fail MESSAGE: for an expectation that was not met.
fail() {
  complain "$*"
  return 1
}

# step_failed REASON: REASON is recorded unless something complained in its own words.
step_failed() {
  if [[ -n $step_title ]]; then
    step_finding=${last_complaint:-$1}
    step_record FAILED
    printf '   FAILED, %s\n' "$(as_seconds $(($(milliseconds_now) - step_started)))"
  fi
}

step_record() {
  printf '%s\t%s\t%s\t%s\n' "$1" $(($(milliseconds_now) - step_started)) \
    "$step_title" "$step_finding" >>"$steps_file"
}

steps_summary() {
  local result milliseconds title found
  printf '\n%-6s  %8s  %-52s  %s\n' result time step finding
  printf '%.0s-' {1..120}
  printf '\n'
  while IFS=$'\t' read -r result milliseconds title found; do
    printf '%-6s  %8s  %-52s  %s\n' "$result" "$(as_seconds "$milliseconds")" "$title" "$found"
  done <"$steps_file"
}

as_seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }
