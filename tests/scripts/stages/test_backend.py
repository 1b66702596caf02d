"""What the installer leaves behind about this machine does not get into a release."""

from __future__ import annotations

from pathlib import Path

from scripts.stages import backend


def test_traces_of_the_machine_are_removed(tmp_path: Path) -> None:
    info = tmp_path / "thing-1.0.dist-info"
    info.mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "thing").write_text("#!/home/somebody/python\n")
    (tmp_path / ".lock").write_text("")
    (tmp_path / "thing.py").write_text("")
    (tmp_path / "a,b.py").write_text("")
    for name in ("REQUESTED", "direct_url.json", "uv_build.json", "METADATA"):
        (info / name).write_text("x")
    (info / "RECORD").write_text(
        'bin/thing,sha256=1,2\r\nthing.py,sha256=2,0\r\nthing-1.0.dist-info/REQUESTED,,\r\n"a,b.py",sha256=3,0\r\n'
        "thing-1.0.dist-info/METADATA,sha256=4,1\r\nthing-1.0.dist-info/RECORD,,\r\n"
    )
    backend.normalise(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a,b.py", "thing-1.0.dist-info", "thing.py"]
    assert sorted(path.name for path in info.iterdir()) == ["METADATA", "RECORD"]
    assert (info / "RECORD").read_text() == (
        '"a,b.py",sha256=3,0\nthing-1.0.dist-info/METADATA,sha256=4,1\nthing-1.0.dist-info/RECORD,,\nthing.py,sha256=2,0\n'
    )
