#!/bin/sh
# Starts this release with a Python @PYTHON@ of this machine: PYTHON=/path/to/python3 names one. See `open-webui-tdx --help`.
set -eu
self=$(readlink -f -- "$0")
version='import sys; print("%d.%d" % sys.version_info[:2])'
for candidate in ${PYTHON:+"$PYTHON"} python@PYTHON@ python3 python; do
    if [ "$("$candidate" -I -S -c "$version" 2>/dev/null)" = @PYTHON@ ]; then
        # Isolated from the account's and the machine's own packages; nothing is ever written into the release.
        exec "$candidate" -I -S -B "${self%/*}/launcher" "$@"
    fi
    if [ -n "${PYTHON:-}" ]; then
        break
    fi
done
echo "open-webui-tdx: this release needs Python @PYTHON@${PYTHON:+, which $PYTHON is not}; install python@PYTHON@, or name one with PYTHON=/path/to/python@PYTHON@." >&2
exit 3
