"""Progress of long work: a bar where somebody watches, plain lines in a log, nothing in a checked notebook."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
        minutes, seconds = divmod(int(time.perf_counter() - _began), 60)
        print(f"{minutes:4}:{seconds:02}  {text}", flush=True)
    if not _somebody_watches():
        yield lambda done, total, what="": None
        return
    from tqdm import tqdm  # the text bar: a widget would stay in the saved notebook

    with tqdm(total=total, desc=text, leave=False) as bar:

        def report(done: int, total: int, what: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(what, refresh=False)
            bar.update(done - bar.n)

        yield report
