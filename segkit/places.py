"""Places that are written to: asked before the work begins, so that hours of it don't end at a closed door."""

import tempfile
from pathlib import Path

from segkit.errors import InputError


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
    segkit.errors.InputError: --out x can't be written to (...places.py: Not a directory): name ...
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
