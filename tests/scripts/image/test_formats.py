"""What the image is put together of: Debian packages, cpio, partition table, kernel modules, programs' libraries."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import subprocess
import sys
import tarfile
import uuid
import zlib
from pathlib import Path

import pytest

from scripts.errors import MismatchError, MissingError
from scripts.image import cpio, debs, gpt, modules, tree


def deb(path: Path, *members: tuple[tarfile.TarInfo, bytes], cut: int = 0) -> Path:
    """A Debian package with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    out = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.xz", packed.getvalue())):
        out += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )
    path.write_bytes(out[: len(out) - cut])
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o755) -> tarfile.TarInfo:
    """One member."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def test_a_packages_files_lie_in_the_merged_tree_without_special_rights(tmp_path: Path) -> None:
    package = deb(
        tmp_path / "a.deb",
        (entry("./bin/", tarfile.DIRTYPE), b""),
        (entry("./bin/su", mode=0o4755), b"program"),
        (entry("./bin/twin", tarfile.LNKTYPE, "./bin/su"), b""),
        (entry("./usr/lib/x.so", tarfile.SYMTYPE, "x.so.1"), b""),
        (entry("./usr/share/doc/a/changelog.gz"), b"left out"),
    )
    debs.unpack(package, tmp_path / "out", tree.LEFT_OUT)
    out = tmp_path / "out"
    assert (out / "usr/bin/su").stat().st_mode & 0o7777 == 0o755
    assert (out / "usr/bin/twin").read_bytes() == b"program"
    assert (out / "usr/lib/x.so").readlink() == Path("x.so.1")
    assert not (out / "usr/share/doc/a/changelog.gz").exists()


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (entry("../outside"), "leads out"),
        (entry("/etc/passwd"), "leads out"),
        (entry("./usr/../../x"), "leads out"),
        (entry("./dev/null", tarfile.CHRTYPE), "no file, folder or link"),
    ],
)
def test_a_package_that_would_write_elsewhere_is_refused(tmp_path: Path, member: tarfile.TarInfo, says: str) -> None:
    package = deb(tmp_path / "a.deb", (member, b""))
    with pytest.raises(MismatchError, match=says):
        debs.unpack(package, tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_what_is_no_whole_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.deb").write_bytes(b"no archive")
    with pytest.raises(MismatchError, match="is no Debian package"):
        debs.unpack(tmp_path / "b.deb", tmp_path / "out")
    with pytest.raises(MismatchError, match="is cut off"):
        debs.unpack(deb(tmp_path / "c.deb", (entry("./x"), b"y"), cut=9), tmp_path / "out")


def test_an_initrds_archive_has_each_entry_and_no_time() -> None:
    made = cpio.archive(
        [
            cpio.folder("dev"),
            cpio.Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
            cpio.file("init", b"abc", 0o555),
        ]
    )
    found, at = [], 0
    while True:
        assert made[at : at + 6] == b"070701"
        fields = [int(made[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        name = made[at + 110 : at + 110 + fields[11] - 1].decode()
        at = -(-(at + 110 + fields[11]) // 4) * 4
        content = made[at : at + fields[6]]
        at = -(-(at + fields[6]) // 4) * 4
        if name == "TRAILER!!!":
            break
        assert fields[2:4] + fields[5:6] == [0, 0, 0]  # owner, group, time
        found.append((name, fields[1], tuple(fields[9:11]), content))
    assert at == len(made)
    assert found == [
        ("dev", 0o40755, (0, 0), b""), ("dev/console", 0o20600, (5, 1), b""), ("init", 0o100555, (0, 0), b"abc"),
    ]  # fmt: skip


def test_a_partition_table_is_whole_at_both_ends() -> None:
    wanted = [(gpt.ESP, uuid.UUID(int=5), "esp", 3 << 20), (gpt.LINUX_DATA, uuid.UUID(int=6), "root", (1 << 20) + 1)]
    table = gpt.layout(uuid.UUID(int=9), wanted)
    assert [(item.first, item.last) for item in table.partitions] == [(2048, 2048 + 6143), (8192, 8192 + 2048)]
    first, last = table.primary(), table.backup()
    assert [len(first), len(last)] == [34 * 512, 33 * 512]
    assert first[510:512] == b"\x55\xaa"
    for header, entries in ((first[512:604], first[1024:]), (last[-512:-420], last[:-512])):
        crc = struct.unpack_from("<I", header, 16)[0]
        assert zlib.crc32(header[:16] + bytes(4) + header[20:]) == crc
        assert zlib.crc32(entries) == struct.unpack_from("<I", header, 88)[0]
    here, other = struct.unpack_from("<QQ", first, 512 + 24)
    assert (other, here) == struct.unpack_from("<QQ", last, len(last) - 512 + 24)
    assert other == table.sectors - 1


def module(folder: Path, name: str, needs: str) -> None:
    """A kernel module's file with nothing but what says what it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ko.xz").write_bytes(
        lzma.compress(b"\x7fELF\0license=GPL\0depends=" + needs.encode() + b"\0name=x\0")
    )


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    module(tmp_path / "md", "dm-mod", "")
    module(tmp_path / "md", "dm-bufio", "dm-mod")
    module(tmp_path / "md", "dm-verity", "dm-bufio,dm-mod")
    module(tmp_path / "fs", "squashfs", "")
    found = modules.order(modules.names("dm-verity # why\n\n# nothing\nsquashfs\ndm-mod\n"), tmp_path)
    assert [path.name for path in found] == ["dm-mod.ko.xz", "dm-bufio.ko.xz", "dm-verity.ko.xz", "squashfs.ko.xz"]
    with pytest.raises(MissingError, match="no module nvidia"):
        modules.order(["nvidia"], tmp_path)


def test_a_programs_libraries_are_those_that_the_loader_looks_for() -> None:
    program = Path(sys.executable).resolve()
    shown = subprocess.run(["objdump", "-p", program], capture_output=True, text=True, check=True).stdout
    expected = [line.split()[1] for line in shown.splitlines() if line.split()[:1] == ["NEEDED"]]
    assert expected
    assert tree.needed(program.read_bytes()) == expected
