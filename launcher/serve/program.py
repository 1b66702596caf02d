"""Become another program: `_module launcher.serve.program PROGRAM ARGUMENTS`.

What `_module` arranged (to end with the launcher) stays, and the environment is the one that was planned.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - there is no shell, and the path is the measured program's
