"""Stop soon on Ctrl-C or another signal that asks for an end: with the right status, and nothing left behind."""

import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segkit.runtime.disk import remove_own, sweep

PATIENCE_SECONDS = 2.0  # that the work gets to end
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_asked: list[int] = []  # the signal that came
_said = threading.Event()


class Stopped(BaseException):
    """The user or the system asks for an end. It is no `Exception`, so that no handler of errors goes on."""


@contextmanager
def stopping_when_asked() -> Iterator[None]:
    """Raise `Stopped` when a signal asks for an end, and end with status 128 + signal, as shells do.

    A hang-up that is ignored, as under nohup, stays ignored. C code doesn't notice the exception, and some libraries
    swallow it or raise another: the status is the signal's in any case, and after `PATIENCE_SECONDS` a thread ends the
    process, whatever it is doing.
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
            sweep(Path(tempfile.gettempdir()))  # what the children left
            _say_so()
            sys.exit(128 + _asked[0])
        signal.set_wakeup_fd(-1)
        os.close(write)
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: object) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # a second signal would only disturb the tidying
    _asked.append(number)
    logging.disable()  # libraries would log at length what was broken off
    end_children()  # so that nobody waits for them
    raise Stopped


def _insist(read: int) -> None:
    if not (come := os.read(read, 1)):  # the work ended without a signal
        return os.close(read)
    time.sleep(PATIENCE_SECONDS)
    end_children()
    remove_own()
    sweep(Path(tempfile.gettempdir()))
    _say_so()
    os._exit(128 + come[0])


def _say_so() -> None:
    if not _said.is_set():
        _said.set()
        message = "segkit: stopped; what was finished before is untouched, and the same command goes on"
        with suppress(OSError, ValueError):  # the terminal may be gone
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
    """Whether a process only waits for the others to end, to remove what they shared."""
    import psutil

    try:
        return process.status() == psutil.STATUS_ZOMBIE or "resource_tracker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True
