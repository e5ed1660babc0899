"""What waits, where there is no room for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tunetrack_client.backlog import Backlog
from tunetrack_client.message import Message
from tunetrack_client.sync import left_behind, sync


def message(epoch: int) -> Message:
    """One of many."""
    return Message("/v1/runs/r/epochs", {"epoch": epoch}, "r", is_epoch=True)


def epochs(messages: list[Message | None]) -> list[int]:
    """Which ones they are."""
    return [one.body["epoch"] for one in messages if one is not None]


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A folder that cannot be made."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "spool"


def test_without_room_the_oldest_go_but_none_that_is_on_its_way_is_taken_for_another(nowhere: Path) -> None:
    backlog = Backlog("http://host", nowhere, most_in_memory=4)
    for epoch in range(3):
        backlog.put(message(epoch))
    assert epochs(backlog.peek(2)) == [0, 1]
    for epoch in range(3, 6):
        backlog.put(message(epoch))
    assert backlog.n_lost == 1  # the epoch 2: those on their way are in other hands
    backlog.drop(2)
    assert epochs(backlog.peek(10)) == [3, 4, 5]
    backlog.drop(3)
    assert len(backlog) == 0


def test_what_lies_in_the_file_comes_first_and_no_more_than_was_asked_for(tmp_path: Path) -> None:
    backlog = Backlog("http://host", tmp_path)
    for epoch in range(2):
        backlog.put(message(epoch))
    backlog.spill()
    for epoch in range(2, 5):
        backlog.put(message(epoch))
    assert epochs(backlog.peek(3)) == [0, 1, 2]
    backlog.drop(3)
    assert epochs(backlog.peek(3)) == [3, 4]


def test_a_disk_without_room_is_not_asked_for_each_message(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_asked = 0

    def is_full(*_: object, **__: object) -> None:
        nonlocal n_asked
        n_asked += 1
        raise OSError("no room")

    monkeypatch.setattr("tunetrack_client.backlog._FULL_S", 3600.0)
    monkeypatch.setattr(Path, "mkdir", is_full)
    backlog = Backlog("http://host", nowhere, most_in_memory=4)
    for epoch in range(100):
        backlog.put(message(epoch))
    assert n_asked == 1


def test_what_can_be_kept_nowhere_is_told_in_the_end(nowhere: Path, caplog: pytest.LogCaptureFixture) -> None:
    backlog = Backlog("http://host", nowhere, most_in_memory=4)
    backlog.put(message(0))
    backlog.peek(1)
    for epoch in range(1, 7):
        backlog.put(message(epoch))
    assert backlog.close() is None
    assert "7 messages are lost" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process there")
@pytest.mark.parametrize("room", [10, 100, 200])
def test_once_there_is_room_again_the_file_is_whole(room: int, tmp_path: Path) -> None:
    code = """if True:
        import resource, sys
        from pathlib import Path
        from tunetrack_client.backlog import Backlog
        from tunetrack_client.message import Message
        backlog = Backlog("http://host", Path(sys.argv[1]))
        most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), most[1]))
        for epoch in range(2):
            backlog.put(Message("/v1/runs/r/epochs", {"epoch": epoch}, "r", is_epoch=True))
        backlog.spill()
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        print(backlog.close())
    """
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path, str(room)], env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    backlog = Backlog.open(Path(done.stdout.strip()))
    assert backlog is not None
    assert epochs(backlog.peek(10)) == [0, 1]
    assert list(tmp_path.iterdir()) == [backlog.path]
    backlog.close()


def test_a_file_that_cannot_be_taken_away_stops_nothing(tmp_path: Path) -> None:
    waiting = Backlog("http://host", folder := tmp_path / "spool", most_in_memory=1)
    waiting.put(message(0))
    assert waiting.path is not None
    waiting.path.unlink()
    folder.rmdir()
    folder.touch()
    waiting.drop(1)
    assert len(waiting) == 0
    folder.unlink()
    waiting.put(message(1))
    assert epochs(waiting.peek(2)) == [1]
    assert waiting.close() is not None


def left(folder: Path, *lines: str) -> Path:
    """A spool file that somebody has put there."""
    path = folder / "host-1-0123.jsonl"
    path.write_text("\n".join(['{"tunetrack_spool": 1, "url": "http://127.0.0.1:9"}', *lines, ""]))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="files have other owners there")
def test_no_key_is_sent_to_the_address_that_another_user_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left(tmp_path)
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    (backlog,) = left_behind(tmp_path)
    with pytest.raises(ValueError, match="another user"):
        sync(backlog, key="tunetrack_key")
    for url, key in ((None, None), ("http://127.0.0.1:9", "tunetrack_key")):
        path = left(tmp_path)
        (backlog,) = left_behind(tmp_path)
        assert sync(backlog, url, key).path == path


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_what_is_left_out_is_written_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    path = left(tmp_path / "spool", "no message")
    path.with_suffix(".damaged").symlink_to(tmp_path / "profile")
    (backlog,) = left_behind(tmp_path / "spool")
    assert sync(backlog).damaged == path
    assert path.exists()
    assert not (tmp_path / "profile").exists()
