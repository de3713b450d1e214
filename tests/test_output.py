"""Writing files: never over another unasked, never in half, never with a riddle for a message."""

import os
import stat

import pytest

from unrelu.errors import OutputError
from unrelu.output import check_writable, write_bytes, write_text


def test_writes_text_and_bytes(tmp_path):
    write_text(tmp_path / "a", "α\n")
    write_bytes(str(tmp_path / "b"), b"\x00\xff")
    assert (tmp_path / "a").read_bytes() == "α\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_text_that_utf8_cannot_hold(tmp_path):
    write_text(tmp_path / "a", "x\udc80")
    assert (tmp_path / "a").read_text(encoding="utf-8") == r"x\udc80"


def test_a_new_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("act", [check_writable, lambda path: write_text(path, "new")])
def test_an_existing_file_is_kept(act, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"report\.html exists.*--force"):
        act(path)
    assert path.read_text() == "old"


def test_force_replaces_and_keeps_permissions(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    assert check_writable(path, force=True) == path
    assert path.read_text() == "old"
    write_text(path, "new", force=True)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("act", [check_writable, lambda path: write_text(path, "new")])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "it is a folder"),
        ("missing/a", "missing does not exist"),
        ("file/a", "is a file, not a folder"),
        ("x" * 300, "too long"),
        ("a\0b", "null"),
    ],
)
def test_says_why_it_cannot_write(act, name, message, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=message):
        act(tmp_path / name)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("act", [check_writable, lambda path: write_text(path, "new")])
def test_a_folder_without_permission(act, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission"):
            act(tmp_path / "a")
    finally:
        tmp_path.chmod(0o700)


def refuse(*_arguments, **_options):
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("act", [check_writable, lambda path: write_text(path, "new")])
def test_a_refusal_by_the_system_is_reported(act, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="no permission to write there"):
        act(tmp_path / "a")


def test_checking_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a", False)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(OSError(28, "No space left on device"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_half_way_changes_nothing(fault, raised, step, tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("old")

    def fail(*_arguments):
        raise fault

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(raised):
        write_text(path, "new", force=True)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_writable(path)
        write_text(path, "through")
        assert os.read(reader, 99) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
