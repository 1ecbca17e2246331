#!/bin/sh
# The name by which notes on multi-node training call it: nexadist diag, with the same arguments.
exec "$(dirname -- "$0")/nexadist" diag "$@"
