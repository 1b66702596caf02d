"""Runs inside a release's Python: Open WebUI's web server alone, as its launcher would configure it.

Usage: python -I -S serve.py RELEASE PORT, with Open WebUI's settings in the environment.
"""

import sys

release, port = sys.argv[1:]
sys.path += [release, f"{release}/backend", f"{release}/site-packages"]

import uvicorn  # noqa: E402

uvicorn.run("open_webui.main:app", host="127.0.0.1", port=int(port), timeout_graceful_shutdown=1)
