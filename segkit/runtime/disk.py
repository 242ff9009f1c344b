"""Places that are written to: asked before the work begins, so that hours of it don't end at a closed door."""

import errno
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segkit.runtime.errors import InputError

ROOT = Path(__file__).resolve().parents[2]  # of the project: data/, notebooks/, reports/

# DuckDB's words, then the system's, which also come as text: from a kernel, or through a library.
_FULL = re.compile(r"max_temp_directory_size|No space left on device|Disk quota exceeded")
_WRITTEN = re.compile(r"""["'](/[^"'\n]+)["']: (?:No space|Disk quota)|(?:on device|exceeded): ["'](/[^"'\n]+)["']""")


def check_writable(folder: Path, named: str = "") -> None:
    """Refuse a folder that can't be made or written to, by trying in the nearest one that is there.

    Parameters
    ----------
    folder : path
        May be missing still, and its parents too.
    named : str
        How the message calls it; by default by its path.

    Raises
    ------
    InputError
        The message has the path, the reason and the way out.

    Examples
    --------
    >>> check_writable(Path("reports"))
    >>> check_writable(Path(__file__) / "runs", "--out x")
    Traceback (most recent call last):
    segkit.InputError: --out x can't be written to (...places.py: Not a directory): name ...
    """
    there = folder
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        tempfile.TemporaryDirectory(prefix=".segkit-", dir=there.resolve()).cleanup()
    except OSError as error:  # asking for permissions would not do: nobody may write to /proc, whatever they say
        raise InputError(
            f"{named or folder} can't be written to ({there}: {error.strerror}): name a folder that you "
            "may write to, or mend its permissions"
        ) from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let an error of the disk say what was written, where the system itself doesn't.

    Examples
    --------
    >>> with writing(Path("/media/stick/scores.csv")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: '/media/stick/scores.csv'
    """
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def tell_full_disk(error: BaseException | None) -> str:
    """Return which disk is full, and the way out, where that is what an error came of; else "".

    Examples
    --------
    >>> tell_full_disk(OSError(errno.ENOSPC, "No space left on device", "/media/stick/scores.csv"))
    '/media/stick is full: make room there, or name another folder'
    >>> tell_full_disk(ValueError("no number"))
    ''
    """
    while error and not (getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT) or _FULL.search(str(error))):
        error = error.__cause__ or error.__context__
    if not error:
        return ""
    written, temporary = _WRITTEN.search(str(error)), tempfile.gettempdir()
    path = getattr(error, "filename", None) or (written and (written[1] or written[2]))
    if not path or str(path).startswith(f"{temporary}/segkit-"):
        return f"the folder for temporary files, {temporary}, is full: make room there, or name a larger one in TMPDIR"
    return f"{Path(path).parent} is full: make room there, or name another folder"
