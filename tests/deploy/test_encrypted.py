"""Encrypted data under a real systemd, with a CA's certificate: locked, opened, stopped, killed, opened again."""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import pytest
from quote_verifier.unlock import keyfile

from .conftest import NAME, Site
from .said import counts

pytestmark = pytest.mark.deploy

UNIT = "open-webui-tdx.service"
DATA = "/var/lib/open-webui-tdx"
PATIENCE_S = 180.0


def until(true: Callable[[], bool], what: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.5)


def shown(site: Site, name: str) -> str:
    return site.host.run("systemctl", "show", "-P", name, UNIT).stdout.strip()


def journal(site: Site) -> str:
    return site.host.run("journalctl", "-u", UNIT, "-o", "cat", "--no-pager", "-n", "60").stdout


def locked(site: Site) -> bool:
    return shown(site, "ActiveState") == "active" and shown(site, "StatusText").startswith("Locked")


def health(site: Site) -> int:
    """As its own machine sees it, whatever the certificate."""
    asked = urllib.request.Request(f"https://{site.host.address}/health", headers={"Host": NAME})
    with suppress(urllib.error.HTTPError, OSError):
        return int(urllib.request.urlopen(asked, timeout=10, context=ssl._create_unverified_context()).status)
    return 0


def mounted(site: Site) -> bool:
    """Whether any process there has the encrypted folder mounted, in whatever namespace."""
    done = site.host.run(
        "sh", "-c", f"grep -l '{DATA}/open fuse.gocryptfs\\|{DATA}/open .* fuse.gocryptfs' /proc/[0-9]*/mountinfo"
    )
    return bool(done.stdout.strip())


def running(site: Site) -> bool:
    return site.host.run("pgrep", "-x", "gocryptfs").returncode == 0


def opened(site: Site, *options: str) -> None:
    """Its owner opens it, and it serves, with the CA's certificate."""
    until(lambda: locked(site), lambda: journal(site))
    assert health(site) == 0
    done = site.unlock(*options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    until(lambda: health(site) == 200, lambda: journal(site))
    until(lambda: shown(site, "StatusText").startswith("Serving"), lambda: journal(site))
    assert mounted(site) and running(site)


def certified(site: Site) -> str:
    """The key that it shows with a certificate of the CA's."""
    found = [""]

    def there() -> bool:
        with suppress(OSError):
            found[0] = site.shown_key()
        return bool(found[0])

    until(there, lambda: site.host.run("cat", f"{DATA}/logs/door.log").stdout[-2000:])
    return found[0]


def test_a_unit_whose_data_is_encrypted(site: Site) -> None:
    site.host.run("systemctl", "stop", UNIT)
    site.host.run("sh", "-c", f"rm -rf {DATA}/*")  # data in plain text, of the tests before
    keyfile.make(site.folder / "data.key")
    encrypted = {"DATA_KEY": "unlock", "DATA_OWNER": keyfile.load(site.folder / "data.key").public}
    done = site.play(deploy_settings={**site.variables["deploy_settings"], **encrypted})
    assert counts(done)[1] == 0, done.stdout[-6000:]
    assert "exit code 6: SIMULATED" in done.stdout.splitlines()[-1], "what it is can be judged while it is locked"
    assert "The data is locked. Its owner opens it" in done.stdout
    assert not mounted(site) and "--create" in done.stdout
    opened(site, "--create")
    before = certified(site)

    site.host.run("systemctl", "stop", UNIT)
    assert not mounted(site) and not running(site), "a stop closes it"
    assert site.host.run("sh", "-c", f"ls -A {DATA}/open").stdout == ""

    site.host.run("systemctl", "start", UNIT)
    opened(site)
    assert certified(site) == before, "the key and its certificate lie in the data"

    main = shown(site, "MainPID")
    site.host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", UNIT)
    until(lambda: shown(site, "MainPID") not in (main, "0"), lambda: journal(site))
    until(lambda: locked(site), lambda: journal(site))
    assert not mounted(site) and not running(site), "whatever a kill left is gone before it waits again"
    opened(site)
    assert certified(site) == before
