# Shared by the scripts beside it: paths, messages, progress. Sourced, never run.
# Messages and progress go to stderr: stdout belongs to what a script prints as its result.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export root
# Where it really is: clones may share one by a link.
llama_dir=$root/out-llama
if [[ -d $llama_dir ]]; then llama_dir=$(cd "$llama_dir" && pwd -P); fi
export llama_dir

say() { printf 'zoomr: %s\n' "$*" >&2; }

# die MESSAGE [EXIT_CODE]
die() {
  say "$1"
  exit "${2:-1}"
}

have() { command -v "$1" >/dev/null 2>&1; }

# ZOOMR_PLAIN=1: lines instead of a line that is written over (two things run at once, or a log).
on_terminal() { [[ -t 2 && -z ${ZOOMR_PLAIN:-} ]]; }

jobs() {
  if have nproc; then nproc; else getconf _NPROCESSORS_ONLN; fi
}

# The pip of the PATH, whatever it is called there.
run_pip() {
  if have pip; then
    pip "$@"
  elif have pip3; then
    pip3 "$@"
  else
    python3 -m pip "$@"
  fi
}

sha256_of() {
  if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

# free_bytes FOLDER: what its file system still takes.
free_bytes() { df -Pk "$1" | awk 'NR == 2 { printf "%.0f\n", $4 * 1024 }'; }

# lock FILE WHAT: held until the script ends; a second run waits for the first.
lock() {
  have flock || return 0
  mkdir -p "$(dirname "$1")"
  exec 9>"$1"
  flock -n 9 && return 0
  say "another run works on $2: waiting for it"
  flock 9
}

# progress LABEL: shows the newest line of stdin, on a terminal in one line that is written over,
# otherwise one line in 10 seconds.
progress() {
  local label=$1 line='' newest='starting' last=$SECONDS width code
  width=$((${COLUMNS:-80} - ${#label} - 4))
  while true; do
    code=0
    IFS= read -r -t 10 line || code=$?
    if ((code > 0 && code <= 128)); then break; fi
    [[ -z $line ]] || newest=$line
    if on_terminal; then
      printf '\r\033[K%s: %.*s' "$label" "$width" "$newest" >&2
    elif ((SECONDS - last >= 10)); then
      say "$label: $newest"
      last=$SECONDS
    fi
  done
  if on_terminal; then printf '\r\033[K' >&2; fi
}

# logged LABEL LOG COMMAND...: runs it with its output in LOG and its progress shown; a failure
# shows the end of LOG and ends the script.
logged() {
  local label=$1 log=$2
  shift 2
  if ! "$@" 2>&1 | tee -a "$log" | progress "$label"; then
    tail -n 40 "$log" >&2
    die "$label failed; the whole output is in $log"
  fi
}
