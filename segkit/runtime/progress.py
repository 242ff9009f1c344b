"""Progress of long work: a bar where somebody watches, plain lines in a log, nothing in a checked notebook."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_began: float | None = None  # the command line sets the clock; a notebook run by a machine has none and stays silent
_quiet = False
LINE_SECONDS = 30  # between two lines on how far a step has come


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
    """Yield ``report(done, total, what)`` to be called while the work goes on.

    Examples
    --------
    >>> use_plain_lines()
    >>> with progress_bar("counting", total=2) as report:
    ...     report(1, 2, "one")
    ...     report(2, 2, "two")
       0:00  counting
    >>> use_plain_lines(False)
    """
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
            bar.update(done - bar.n)

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
