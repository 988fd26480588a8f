# shellcheck shell=bash
# What the tools in this folder share: messages, builds, ports. To be sourced, not run.

# say TEXT: prints one line about what happens now.
say() { printf 'sluice: %s\n' "$*"; }

# show_progress: reads ninja's output; on a terminal it keeps one line that counts, elsewhere it is silent.
show_progress() {
  local line
  while IFS= read -r line; do
    if [ -t 1 ] && [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      printf '\r  %s of %s steps ' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    fi
  done
  if [ -t 1 ]; then printf '\r                              \r'; fi
}

# meson_build DIR SECONDS LOG [TARGET...] -- MESON_OPTION...: sets DIR up if need be and builds the targets (none: all).
# A directory set up here with other options is created again; one set up by hand is used as it is.
# What can be built is built even if something else cannot (-k 0). timeout stays in the foreground, so that Ctrl-C reaches
# the compiler.
meson_build() {
  local dir=$1 limit=$2 log=$3 targets=() made_with=$1/made-with-options
  shift 3
  while [ "$1" != -- ]; do
    targets+=("$1")
    shift
  done
  shift
  mkdir -p "$(dirname "$log")"
  if [ -f "$made_with" ] && [ "$(cat "$made_with")" != "$*" ]; then rm -rf "$dir"; fi
  if ! [ -f "$dir/build.ninja" ]; then
    timeout --foreground 300 meson setup "$dir" "$@" >"$log" 2>&1 </dev/null || return 1
    printf '%s\n' "$*" >"$made_with"
  fi
  timeout --foreground -k 10 "$limit" ninja -k 0 -C "$dir" "${targets[@]}" </dev/null 2>&1 | tee "$log" | show_progress
  return "${PIPESTATUS[0]}"
}

# port_is_open PORT [HOST]: something listens there. Bash's own sockets: neither nc nor ss has to be installed.
port_is_open() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }

# free_port: sets REPLY to a port that is free, below the range that the kernel hands out to clients.
free_port() {
  REPLY=$((20000 + RANDOM % 12000))
  while port_is_open "$REPLY"; do REPLY=$((20000 + RANDOM % 12000)); done
}

# wait_until SECONDS COMMAND...: asks again and again until COMMAND succeeds; fails when the time is up.
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    if [ "$SECONDS" -ge "$end" ]; then return 1; fi
    sleep 0.05
  done
}

# end_process PID SECONDS: sends SIGTERM, waits at most SECONDS, then sends SIGKILL. No process is ever ended by name.
end_process() {
  local end=$((SECONDS + $2))
  kill -TERM "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.05; done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
