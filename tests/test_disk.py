"""Unfinished work: built beside its place, exchanged in one step, swept by the next call."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from segkit.runtime import disk
from segkit.runtime.disk import building, check_shared_memory, check_writable, exchange, locked, sweep, tell_full_disk
from segkit.runtime.errors import InputError

DIES = """
import os, sys
from pathlib import Path
from segkit.runtime import disk
place, point, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def die(*_, **__):
    os.kill(os.getpid(), 9)
if point == "no exchange":  # a file system that can't: killed between the two steps
    disk.exchange = lambda *_: False
    Path.rename, rename = lambda one, other: die() if other == place else rename(one, other), Path.rename
if point == "before the exchange":
    disk._take_place = die
if point == "after the exchange":
    disk._take_place, take = lambda *places: take(*places) or die(), disk._take_place
with disk.building(place) as new:
    if point == "begun":
        die()
    if kind == "folder":
        new.mkdir()
    path = new / "people.csv" if kind == "folder" else new
    path.write_text("half")
    if point == "half done":
        die()
    path.write_text("new")
"""
POINTS = {"begun": "old", "half done": "old", "before the exchange": "old", "after the exchange": "new"}


def holds(place: Path) -> str:
    return (place / "people.csv" if place.is_dir() else place).read_text()


def build(place: Path, kind: str, text: str) -> None:
    with building(place) as new:
        if kind == "folder":
            new.mkdir()
        (new / "people.csv" if kind == "folder" else new).write_text(text)


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_the_place_whole_and_the_next_call_sweeps_and_finishes(tmp_path, point, kind):
    place = tmp_path / "place"
    build(place, kind, "old")
    assert subprocess.run([sys.executable, "-c", DIES, place, point, kind]).returncode == -9
    assert holds(place) == POINTS[point]
    assert len(list(tmp_path.iterdir())) == 2
    build(place, kind, "newer")
    assert (holds(place), list(tmp_path.iterdir())) == ("newer", [place])


def test_a_file_system_without_exchange_gets_back_what_was_there(tmp_path):
    build(tmp_path / "place", "folder", "old")
    assert subprocess.run([sys.executable, "-c", DIES, tmp_path / "place", "no exchange", "folder"]).returncode == -9
    sweep(tmp_path)
    assert (holds(tmp_path / "place"), len(list(tmp_path.iterdir()))) == ("old", 1)


def test_a_failure_leaves_neither_the_work_nor_the_folders_made_for_it(tmp_path):
    with pytest.raises(ZeroDivisionError), building(tmp_path / "a" / "b" / "place") as new:
        new.write_text(str(1 / 0))
    assert not list(tmp_path.iterdir())


HOLDS = """
import sys
from pathlib import Path
from segkit.runtime.disk import building, locked
with building(Path(sys.argv[1])) as new, locked(Path(sys.argv[1])):
    new.write_text("theirs")
    print("holding", flush=True)
    sys.stdin.read()
"""


def test_what_another_process_still_works_on_is_never_swept_and_its_lock_holds(tmp_path):
    place = tmp_path / "scores.csv"
    other = subprocess.Popen([sys.executable, "-c", HOLDS, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"holding\n"
    sweep(tmp_path)
    build(place, "file", "mine")
    assert holds(place) == "mine"
    assert disk._take_lock(tmp_path / ".segkit-scores.csv.lock", wait=False) is None
    other.communicate(timeout=20)
    assert (holds(place), [path.name for path in tmp_path.iterdir()]) == ("theirs", ["scores.csv"])


def test_a_lock_of_a_killed_process_is_free_and_swept(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path / "x"], stdin=-1, stdout=subprocess.PIPE)
    other.stdout.readline()
    other.kill()
    other.communicate()
    with locked(tmp_path / "x"):
        sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_only_looks_like_unfinished_work_is_never_swept(tmp_path):
    (tmp_path / ".segkit-thesis").mkdir()
    (tmp_path / ".segkit-notes.lock").write_text("two years")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".segkit-0123456789ab").symlink_to(tmp_path / "elsewhere")
    before = set(tmp_path.iterdir())
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == before


def test_exchange_swaps_two_folders(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists()
    assert not exchange(tmp_path / "a", tmp_path / "none")


LONG = f"/tmp/{'y' * 250}"


@pytest.mark.parametrize("place", ["/proc/x/y", "/etc/passwd/x", "/tmp/" + "x" * 5000, f"{LONG}/{'x' * 256}"])
def test_a_place_that_cannot_be_written_to_is_refused_before_the_work_in_one_short_line(place):
    with pytest.raises(InputError, match="can't be written to") as refused, building(Path(place), "--out x"):
        pytest.fail("the work began")
    assert len(str(refused.value)) < 600
    with pytest.raises(InputError, match="can't be written to"):
        check_writable(Path(place))
    assert not Path(LONG).exists()


def test_the_disk_that_is_full_is_the_one_that_is_named(tmp_path, monkeypatch):
    def full_error(inside):
        with pytest.raises(OSError, match="No space") as full, building(tmp_path / "out" / "handover") as new:
            raise OSError(errno.ENOSPC, "No space left on device", *([str(new / "bi" / "x.csv")] if inside else []))
        return tell_full_disk(full.value)

    assert full_error(inside=True).startswith(f"{tmp_path / 'out'} is full")
    assert full_error(inside=False).startswith(f"{tmp_path / 'out'} is full")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda there: usage._replace(free=0) if there.name == "tmp" else usage)
    assert full_error(inside=False).startswith("the folder for temporary files, ")


def test_shared_memory_that_is_closed_is_refused_and_named(monkeypatch):
    check_shared_memory()

    def closed(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", closed)
    with pytest.raises(InputError, match=r"/dev/shm can't be written to \(Read-only file system\)"):
        check_shared_memory()
