"""The lock of the image's packages, and where they come from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.config import Config, from_environment
from scripts.errors import MismatchError, MissingError, NetworkError, PinError
from scripts.image import mirror, packages
from scripts.run import Runner
from simulator.serving import Answering, HttpServing

ROOT = Path(__file__).resolve().parents[3]
CONTENT = b"a package"
ONE = packages.Package(
    "root",
    "libc6",
    "2.36-9",
    len(CONTENT),
    hashlib.sha256(CONTENT).hexdigest(),
    "pool/main/g/glibc/libc6_2.36-9_amd64.deb",
)


def test_the_lock_holds_what_the_list_names_and_no_address() -> None:
    found = packages.locked(ROOT)
    assert {"boot", "kernel", "root", "tools", "firmware"} == {package.part for package in found}
    assert packages.write(found) == (ROOT / packages.LOCK).read_text()
    assert "//" not in (ROOT / packages.LOCK).read_text()


def test_kernel_and_stub_are_new_enough_to_extend_and_to_measure() -> None:
    """Linux has RTMR 3 in sysfs since 6.16; systemd's stub measures into RTMRs since 256."""
    versions = {package.name: package.version for package in packages.locked(ROOT)}
    kernel = next(name for name in versions if name.startswith("linux-binary-"))
    assert tuple(map(int, versions[kernel].split("-")[0].split(".")[:2])) >= (6, 16)
    assert int(versions["systemd-boot-efi"].split(".")[0]) >= 256
    assert versions["python3.11"].startswith("3.11.")


def project(folder: Path, wanted: str, *lines: str) -> Path:
    (folder / "image").mkdir(exist_ok=True)
    (folder / packages.LIST).write_text(wanted)
    (folder / packages.LOCK).write_text("\n".join(lines) + "\n")
    return folder


LIST = '[root]\nsuite = "bookworm"\npackages = ["libc6"]\n'


@pytest.mark.parametrize(
    ("wanted", "lines", "says"),
    [
        (LIST, (), "has 0 packages for libc6"),
        (LIST, (ONE.line, ONE.line), "names a package twice"),
        (LIST, (ONE.line, ONE.line.replace(" libc6 ", " libc7 ")), "has libc7, which"),
        (LIST, (ONE.line.replace("pool/", "https://mirror.example/pool/"),), "line 1 is not a package's"),
        (LIST, (ONE.line.replace(ONE.sha256, "0" * 63),), "line 1 is not a package's"),
        (LIST.replace("bookworm", "sid"), (ONE.line,), r"\[root\] needs packages and a suite"),
        ("[root", (ONE.line,), "cannot be read"),
    ],
)
def test_a_lock_that_does_not_fit_its_list_is_refused(
    tmp_path: Path, wanted: str, lines: tuple[str, ...], says: str
) -> None:
    with pytest.raises(PinError, match=says):
        packages.locked(project(tmp_path, wanted, *lines))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("linux-binary-7.3.4+deb13-cloud-amd64", True),
        ("linux-binary-unsigned-7.3.4+deb13-cloud-amd64", False),
        ("linux-binary-7.3.4+deb13-rt-amd64", False),
        ("linux-binary-cloud-amd64", False),
    ],
)
def test_one_kernel_is_meant_whatever_its_version(name: str, fits: bool) -> None:
    assert packages.matches("linux-binary-*-cloud-amd64", name) is fits


class Mirrors(HttpServing):
    """Two mirrors, of which the second has the package, or what a test put in its place."""

    def __init__(self) -> None:
        self.files = {f"/debian/{ONE.path}": CONTENT}
        self.asked: list[str] = []
        super().__init__(0, type("Handler", (_Handler,), {"mirrors": self}))


class _Handler(Answering):
    mirrors: Mirrors

    def do_GET(self) -> None:
        self.mirrors.asked.append(self.path)
        content = self.mirrors.files.get(self.path)
        self.answer(200 if content is not None else 404, content or b"")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    """The mirrors, as the setting names them."""
    with Mirrors() as mirrors:
        monkeypatch.setenv(mirror.SETTING, f"{mirrors.url}/debian-security/, {mirrors.url}/debian/")
        yield mirrors


def config(folder: Path) -> Config:
    return dataclasses.replace(from_environment(ROOT, {}), cache=folder)


@pytest.mark.slow
def test_a_package_comes_from_the_mirror_that_has_it_once(served: Mirrors, tmp_path: Path) -> None:
    cfg, run = config(tmp_path), Runner("test", tmp_path / "log")
    for _ in range(2):
        assert mirror.obtain(cfg, run, [ONE])["root/libc6"].read_bytes() == CONTENT
    assert served.asked == [f"/debian-security/{ONE.path}", f"/debian/{ONE.path}"]
    assert mirror.obtain(dataclasses.replace(cfg, offline=True), run, [ONE])


@pytest.mark.slow
@pytest.mark.parametrize("content", [CONTENT + b"!", b"another p", b""])
def test_other_bytes_are_refused_and_not_kept(served: Mirrors, tmp_path: Path, content: bytes) -> None:
    served.files[f"/debian/{ONE.path}"] = content
    with pytest.raises(MismatchError, match="is not the locked package and was deleted"):
        mirror.obtain(config(tmp_path), Runner("test", tmp_path / "log"), [ONE])
    assert [path.name for path in (tmp_path / "debian").iterdir()] == [".lock"]


@pytest.mark.slow
def test_a_changed_file_of_the_cache_is_fetched_again(served: Mirrors, tmp_path: Path) -> None:
    cfg, run = config(tmp_path), Runner("test", tmp_path / "log")
    place = mirror.obtain(cfg, run, [ONE])["root/libc6"]
    place.write_bytes(b"changed")
    assert mirror.obtain(cfg, run, [ONE])["root/libc6"].read_bytes() == CONTENT


@pytest.mark.slow
def test_a_version_that_left_the_mirrors_says_what_to_do(served: Mirrors, tmp_path: Path) -> None:
    gone = dataclasses.replace(ONE, path="pool/none.deb")
    with pytest.raises(NetworkError, match="no mirror has it.*DEBIAN_MIRROR"):
        mirror.obtain(config(tmp_path), Runner("test", tmp_path / "log"), [gone])
    with pytest.raises(NetworkError, match="OFFLINE=1"):
        mirror.obtain(dataclasses.replace(config(tmp_path), offline=True), Runner("test", tmp_path / "log"), [gone])


def test_without_any_mirror_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "_of_apt", lambda: ())
    with pytest.raises(MissingError, match="DEBIAN_MIRROR"):
        mirror.mirrors({})
