"""Runs inside a release's Python: imports Open WebUI, signs up its first user, asks every plain GET route. Prints JSON.

Usage: python -I -S probe_routers.py RELEASE, with Open WebUI's settings in the environment.
"""

import json
import sys

release = sys.argv[1]
sys.path += [release, f"{release}/backend", f"{release}/site-packages"]

import open_webui.main  # type: ignore[import-not-found]  # noqa: E402
from fastapi.routing import APIRoute  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

import launcher.serve.web  # noqa: E402

early = [name for name in launcher.serve.web.SLOW if name not in sys.modules]
app = open_webui.main.app
routes = [route for route in app.routes if isinstance(route, APIRoute)]
statuses: dict[str, int] = {}
with TestClient(app, raise_server_exceptions=False) as client:
    person = {"name": "a", "email": "a@example.com", "password": "correct horse"}
    token = client.post("/api/v1/auths/signup", json=person).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    for route in routes:
        if "GET" in (route.methods or ()) and "{" not in route.path:
            statuses[route.path] = client.get(route.path).status_code
report = {"paths": sorted({route.path for route in routes}), "statuses": statuses, "early": early}
print("\nREPORT " + json.dumps(report))
