"""Progress of long work: a bar where somebody watches, plain lines in a log, nothing in a checked notebook.

A notebook that a chain executes tells its progress in a file, which the command line shows.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = "SEGKIT_EVENTS"  # names the file in which the notebooks of a chain tell how far they are
LINE_SECONDS = 30  # between two lines on how far a step has come
TELL_SECONDS = 0.5  # between two events on how far a step has come
costs: dict[str, dict[str, float]] = {}  # what each piece of work of this process took, by its text
_began: float | None = None  # the command line sets the clock; a notebook run by a machine has none and stays silent
_quiet = False


def use_plain_lines(on: bool = True) -> None:
    """Print a line when a step begins, with the time since now; standard error is for the one message of a failure."""
    global _began, _quiet
    _began, _quiet = time.perf_counter() if on else None, False


def keep_quiet() -> None:
    """Show neither lines nor bars until `use_plain_lines` is called again."""
    global _began, _quiet
    _began, _quiet = None, True


def _somebody_watches() -> bool:
    # A Jupyter server names the session of each kernel it starts; papermill, nbclient and nbval don't.
    return not _quiet and (sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ)


@contextmanager
def progress_bar(text: str, total: int | None = None) -> Iterator[Callable[[int, int, str], None]]:
    """Yield ``report(done, total, what)`` to be called while the work goes on; what it took is kept in `costs`.

    Examples
    --------
    >>> use_plain_lines()
    >>> with progress_bar("counting", total=2) as report:
    ...     report(1, 2, "one")
    ...     report(2, 2, "two")
       0:00  counting
    >>> use_plain_lines(False)
    """
    start = time.perf_counter()
    with _shown(text, total) as report:
        yield report
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    took = {"seconds": round(time.perf_counter() - start, 2), "peak_memory_mb": round(peak / 1024)}
    costs[text] = took
    _tell_event(text=text, **took)


@contextmanager
def _shown(text: str, total: int | None) -> Iterator[Callable[[int, int, str], None]]:
    if EVENTS in os.environ:
        _tell_event(text=text)
        yield _tell_in_file(text)
        return
    if _began is not None:
        _print(text)
    if not _somebody_watches():
        yield _tell_seldom() if _began is not None else lambda done, total, what="": None
        return
    from tqdm import tqdm  # the text bar: a widget would stay in the saved notebook

    with tqdm(total=total, desc=text, leave=False) as bar:

        def report(done: int, total: int, what: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(what, refresh=False)
            bar.update(max(done - bar.n, 0))

        yield report


def _print(text: str) -> None:
    minutes, seconds = divmod(int(time.perf_counter() - _began), 60)
    print(f"{minutes:4}:{seconds:02}  {text}", flush=True)


def _tell_seldom() -> Callable[[int, int, str], None]:
    """Return a ``report`` that prints an indented line every `LINE_SECONDS`: how much is done of what."""
    told = time.perf_counter()

    def report(done: int, total: int, what: str = "") -> None:
        nonlocal told
        if _began is not None and time.perf_counter() - told >= LINE_SECONDS:
            told = time.perf_counter()
            _print(f"  {what or 'done'}: {100 * done // total} %" if total else f"  {what}")

    return report


def _tell_in_file(text: str) -> Callable[[int, int, str], None]:
    told = 0.0

    def report(done: int, total: int, what: str = "") -> None:
        nonlocal told
        if time.perf_counter() - told >= TELL_SECONDS or done == total:
            told = time.perf_counter()
            _tell_event(text=text, done=done, total=total, what=what)

    return report


def _tell_event(**event) -> None:
    if path := os.environ.get(EVENTS):
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")


def follow_events(path: Path) -> list[dict]:
    """Return what a notebook has told so far: ``text`` of a piece of work, then ``done, total``, or ``seconds``."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    events = []
    for line in lines:
        try:
            events.append(json.loads(line))
        except ValueError:  # half written
            break
    return events


def show_events(say: str = "") -> Callable[[dict], None]:
    """Return a function that shows what a notebook tells, as if the work were done here.

    A line when a piece of work begins, or a bar where somebody watches.
    """
    if _began is not None and not sys.stderr.isatty():
        told: set[str] = set()
        seldom = _tell_seldom()

        def show(event: dict) -> None:
            if event["text"] not in told:
                told.add(event["text"])
                _print(f"{say}{event['text']}")
            elif "done" in event:
                seldom(event["done"], event["total"], event["what"])

        return show
    if not _somebody_watches():
        return lambda event: None
    from tqdm import tqdm

    bars: dict[str, tqdm] = {}

    def show(event: dict) -> None:
        text = event["text"]
        if text not in bars:
            bars[text] = tqdm(desc=f"{say}{text}", leave=False)
        bar = bars[text]
        if "seconds" in event:
            bar.close()
        elif "done" in event:
            bar.total = event["total"]
            bar.update(max(event["done"] - bar.n, 0))

    return show
