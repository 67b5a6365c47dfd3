"""Locks between processes: one holder, gone with it, and no tricks with links."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sgdr_service.sweeps.host_lock import HostLock

URL = "postgresql://me:secret@host/base"
HOLDER = f"""
import sys
from sgdr_service.sweeps.host_lock import HostLock
assert HostLock("dispatch", {URL!r}).acquire()
lock = HostLock("dispatch", {URL!r}, "s")
assert lock.acquire()
print("held", flush=True)
input()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / f"sgdr-{os.getuid()}"


def test_one_holds_it_until_it_is_released(folder):
    first, second, other = HostLock("a", URL), HostLock("a", URL), HostLock("b", URL)
    assert first.acquire() and first.acquire() and not second.acquire() and other.acquire()
    assert folder.stat().st_mode & 0o777 == 0o700
    (*files,) = folder.iterdir()
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files) and len(files) == 2
    first.release()
    assert second.acquire() and not first.acquire()
    for lock in (first, second, other, first):
        lock.release()
    assert list(folder.iterdir()) == []


def test_it_is_free_when_its_holder_is_killed():
    lock = HostLock("dispatch", URL, "s")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        assert not lock.acquire()
        process.kill()
        process.wait()
    assert lock.acquire()
    lock.release()


def test_a_holder_whose_file_is_gone_takes_part_again(folder):
    first, second = HostLock("a", URL), HostLock("a", URL)
    assert first.acquire()
    for file in folder.iterdir():
        file.unlink()
    assert second.acquire() and not first.acquire()
    second.release()
    assert first.acquire()
    first.release()


def test_the_same_database_is_one_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("link.db").symlink_to("a.db")
    lock = HostLock("a", "sqlite:///a.db")
    assert lock.acquire()
    for url in (f"sqlite:///{tmp_path}/a.db", "sqlite:///./a.db", "sqlite:///link.db"):
        assert not HostLock("a", url).acquire()
    lock.release()


def test_a_folder_that_others_may_write_to_is_refused(folder, tmp_path):
    lock = HostLock("a", URL)
    folder.mkdir()
    folder.chmod(0o770)
    with pytest.raises(PermissionError, match="must be a folder of this user alone"):
        lock.acquire()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="must be a folder of this user alone"):
        lock.acquire()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_are_not_followed(folder, tmp_path):
    lock = HostLock("a", URL)
    assert lock.acquire()
    (file,) = folder.iterdir()
    lock.release()
    file.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        lock.acquire()
    assert not (tmp_path / "victim").exists()
