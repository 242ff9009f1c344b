"""Who asks a run to stop is obeyed, and told so by the status, whatever the work makes of it."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from segkit.runtime.disk import temporary_folder

WORK = """
import logging, subprocess, sys, time
from pathlib import Path
from segkit.runtime.disk import building, temporary
from segkit.runtime.interrupts import stopping_when_asked
with stopping_when_asked(), building(Path(sys.argv[1]) / "runs" / "half") as new, temporary():
    new.mkdir()
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            logging.exception("what a library says of it")
            if sys.argv[2] == "minded":
                raise ValueError("what a library makes of it")
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("taken", ["minded", "swallowed"])
def test_a_signal_ends_the_work_with_its_status_one_line_and_nothing_left(tmp_path, number, status, taken):
    command = [sys.executable, "-c", WORK, str(tmp_path), taken]
    surroundings = os.environ | {"TMPDIR": str(tmp_path)}
    work = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings)
    child = int(work.stdout.readline())
    work.send_signal(number)
    _, said = work.communicate(timeout=20)
    assert (work.returncode, said.count("\n")) == (status, 1)
    assert said.startswith("segkit: stopped; ")
    assert list(tmp_path.iterdir()) == []
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


KILLED = """
import os
from segkit.runtime.disk import temporary_folder
print(temporary_folder(), temporary_folder(), flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_next_run_removes_the_temporary_folders_of_one_that_was_killed_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "thesis").mkdir()
    surroundings = os.environ | {"TMPDIR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, env=surroundings).stdout
    assert len(list(tmp_path.iterdir())) == len(said.split()) + 1
    own = {temporary_folder(), temporary_folder()}
    assert set(tmp_path.iterdir()) == {folder.parent for folder in own} | {tmp_path / "thesis"}


LOADING = """
import sys, time
from segkit.__main__ import main
class Slow:
    def find_spec(name, path, target=None):
        if name == "segkit.cli":
            print("loading", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow)
main()
"""


def test_ctrl_c_while_modules_still_load_ends_without_a_word():
    work = subprocess.Popen([sys.executable, "-c", LOADING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert work.stdout.readline() == "loading\n"
    work.send_signal(signal.SIGINT)
    assert (work.communicate(timeout=20)[1], work.returncode) == ("", -signal.SIGINT)
