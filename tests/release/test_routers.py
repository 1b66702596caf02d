"""The slim release imports and serves every router that the patched source includes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.release, pytest.mark.slow]

PROBE = Path(__file__).with_name("probe_routers.py")
_INCLUDED = re.compile(r"app\.include_router\(\s*(\w+)\.router,\s*prefix=\"([^\"]+)\"")
# Each for a reason that is not a missing package.
EXPECTED_FAILURES = {
    "/api/v1/users/groups": 500,  # upstream calls a method that it does not have
    "/api/v1/users/permissions": 500,  # the same
    "/api/v1/memories/ef": 500,  # asks the embedding service, and this test has none
    "/api/v1/utils/litellm/config": 500,  # serves a file that only earlier versions wrote
    "/api/v1/tee/quote": 503,  # no attester in this test
    "/api/v1/tee/boot-log": 503,  # the same
    "/api/v1/tee/collateral": 503,  # no PCCS in this test
}


@pytest.fixture(scope="module")
def report(release: Path, release_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = tmp_path_factory.mktemp("data")
    (data / "static" / "fonts").mkdir(parents=True)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(data), "DATA_DIR": str(data), "STATIC_DIR": str(data / "static"),
        "FRONTEND_BUILD_DIR": str(release / "backend/open_webui/frontend"), "WEBUI_SECRET_KEY": "only for this test",
        "OFFLINE_MODE": "true", "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai",
        "RAG_OPENAI_API_BASE_URL": "http://127.0.0.1:9/v1", "ENABLE_OLLAMA_API": "false",
        "ENABLE_OPENAI_API": "false", "ENABLE_RAG_WEB_SEARCH": "false", "ANONYMIZED_TELEMETRY": "false",
    }  # fmt: skip
    command = [release_python, "-I", "-S", "-X", f"pycache_prefix={data}/bytecode", str(PROBE), str(release)]
    done = subprocess.run(command, env=environment, cwd=data, capture_output=True, text=True, timeout=300)
    line = next((line for line in done.stdout.splitlines() if line.startswith("REPORT ")), None)
    assert line is not None, f"{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return json.loads(line.removeprefix("REPORT "))  # type: ignore[no-any-return]


def test_every_included_router_is_served(report: dict[str, Any], release: Path) -> None:
    source = (release / "backend/open_webui/main.py").read_text()
    included = _INCLUDED.findall(source)
    assert len(included) == source.count("app.include_router("), "the test does not understand an include_router line"
    assert ("tee", "/api/v1/tee") in included
    for name, prefix in included:
        served = [path for path in report["paths"] if path.startswith(prefix)]
        # ours is a package of its own, which the door mounts as well
        module = "attestation/router" if name == "tee" else f"open_webui/routers/{name}"
        declared = (release / f"backend/{module}.py").read_text()
        wanted = {prefix + path for path in re.findall(r"^ *@?router\.\w+\(\s*\"(/?[^\"]*)\"", declared, re.MULTILINE)}
        assert wanted, f"{name} declares no route that this test understands"
        assert wanted <= set(served), f"{name}: {sorted(wanted - set(served))}"


def test_no_route_answers_with_a_server_error(report: dict[str, Any]) -> None:
    failed = {path: status for path, status in report["statuses"].items() if status >= 500}
    assert failed == EXPECTED_FAILURES
    assert len(report["statuses"]) > 60
    assert sum(status == 200 for status in report["statuses"].values()) > 50


def test_the_launcher_loads_early_only_what_open_webui_imports_itself(report: dict[str, Any]) -> None:
    assert report["early"] == []
