"""Stop when asked to, by Ctrl-C or another signal: soon, with the right status, and with nothing left behind."""

import atexit
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname

PATIENCE_SECONDS = 2.0  # for the work to end by itself
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_asked: list[int] = []  # the signal that came
_said = threading.Event()
_folders: set[Path] = set()


class Stopped(BaseException):
    """The user, or the system, wants an end: no error, so that nobody who handles errors goes on."""


@contextmanager
def stopping_when_asked() -> Iterator[None]:
    """Let the signals that ask for an end raise `Stopped`, and end with status 128 + signal, as shells do.

    A hang-up that is ignored, as under nohup, stays so. Code outside of Python sees to no exception, and libraries
    swallow some or make another of it: the status is the signal's all the same, and after `PATIENCE_SECONDS` a thread
    ends the process, whatever it is doing.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    threading.Thread(target=_insist, args=(read,), daemon=True).start()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    signal.set_wakeup_fd(write)  # is written to at once, even where the main thread is outside of Python
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
    try:
        yield
    finally:
        if _asked:
            _remove_abandoned()  # by the children
            _say_so()
            sys.exit(128 + _asked[0])
        signal.set_wakeup_fd(-1)
        os.close(write)
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # once is enough: a second one would only disturb the tidying
    _asked.append(number)
    logging.disable()  # libraries would log at length what broke off under them
    end_children()  # nobody has to wait for what they are at
    raise Stopped


def _insist(read: int) -> None:
    if not (come := os.read(read, 1)):  # the work ended by itself
        return os.close(read)
    time.sleep(PATIENCE_SECONDS)
    end_children()
    _remove_own()
    _remove_abandoned()
    _say_so()
    os._exit(128 + come[0])


def _say_so() -> None:
    if not _said.is_set():
        _said.set()
        message = "segkit: stopped; what was finished before is untouched, and the same command goes on"
        with suppress(OSError, ValueError):  # the terminal may be what has gone
            print(message, file=sys.stderr, flush=True)


def end_children() -> None:
    """Kill all processes that this one started, and those that they did."""
    import psutil

    while children := [one for one in psutil.Process().children(recursive=True) if not _tidies(one)]:
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=0.2)


def _tidies(process) -> bool:
    """Whether it is one that waits for the others' end to remove what they shared, and then ends."""
    import psutil

    try:
        return process.status() == psutil.STATUS_ZOMBIE or "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True


@contextmanager
def temporary(folder: Path | None = None) -> Iterator[Path]:
    """Make a folder that does not stay, whatever happens; by default a `temporary_folder`."""
    made = folder or temporary_folder()
    _folders.add(made)
    try:
        if folder:
            folder.mkdir()
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        _folders.discard(made)


def temporary_folder() -> Path:
    """Make a folder for temporary files that goes with this process, or if it is killed, when the next one is made."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"segkit-{os.getpid()}-{gethostname()}-"))
    _folders.add(folder)
    return folder


def _remove_abandoned() -> None:
    """Remove the temporary folders of this user's processes on this machine that are gone; their names say whose."""
    name = re.compile(rf"segkit-(\d+)-{re.escape(gethostname())}-\w+")
    with suppress(OSError):  # another process is at it
        for left in Path(tempfile.gettempdir()).glob("segkit-*"):
            found = name.fullmatch(left.name)
            if found and left.lstat().st_uid == os.getuid() and not is_alive(int(found[1])):
                shutil.rmtree(left, ignore_errors=True)


@atexit.register
def _remove_own() -> None:
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def is_alive(process: int) -> bool:
    """Whether a process still works."""
    import psutil

    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
