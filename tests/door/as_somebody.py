"""Run the door as another account, which cannot read this machine's Python: everything is imported before.

`as_somebody.py UID harden|nothing CONFIG listen=...`. As after an exec, the process may be looked at until it says no.
"""

from __future__ import annotations

import ctypes
import os
import sys

import uvicorn.lifespan.off
import uvicorn.loops.auto
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl
import uvicorn.protocols.websockets.websockets_impl

import door.__main__ as entry
from door import app, beside, connections, protecting, serving, tls

LOADED = (app, beside, connections, serving, uvicorn)


def main() -> int:
    uid, shield = int(sys.argv[1]), sys.argv[2]
    sys.argv[1:] = sys.argv[3:]
    tls.Certificates(tls.draw(), ("localhost",), "drawn").self_sign()  # loads the rest of it
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(protecting.PR_SET_DUMPABLE, 1, 0, 0, 0)
    if shield == "nothing":
        protecting.harden = lambda *_: None
    return entry.main()


if __name__ == "__main__":
    sys.exit(main())
