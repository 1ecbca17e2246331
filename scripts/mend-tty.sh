# A viewer that was killed leaves its terminal raw, on the alternate screen: the next command there puts it right.
# Not in Node: it gives a terminal back as it found it. A marker holds the viewer's process (controller/cli/tty-marker.ts).

mend_tty() {
  held=${NEXADIST_STATE_DIR:-${XDG_STATE_HOME:-${HOME:-}/.local/state}/nexadist}/terminals
  if [ ! -d "$held" ] || [ ! -t 0 ] || [ ! -t 1 ]; then return 0; fi
  tty_name=$(tty 2>/dev/null) || return 0
  marker=$held/$(printf %s "${tty_name#/dev/}" | tr / -)
  if [ ! -f "$marker" ]; then return 0; fi
  read -r holder <"$marker" || :
  if kill -0 "${holder:-0}" 2>/dev/null; then return 0; fi
  rm -f "$marker"
  # Colours off, synchronised output ended, cursor shown, bracketed paste off, alternate screen left.
  printf '\033[0m\033[?2026l\033[?25h\033[?2004l\033[?1049l'
  stty sane 2>/dev/null || :
}
