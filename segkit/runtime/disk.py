"""Places that are written to: checked before the work, built beside, exchanged in one step, swept after a kill.

Whatever is not finished (a run, a hand-over, scores, a draft of the cache, a download, temporary files) lies in a
hidden folder of its own beside its place: its home. The process that works in it holds a lock on it, and the system
lets the lock go when that process ends, however it ends. A home that nobody holds was left by a process that was
killed: the next call beside it removes it. Locks also hold between containers that share a folder, where process ids
say nothing.
"""

import atexit
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from segkit.runtime.errors import InputError

ROOT = Path(__file__).resolve().parents[2]  # of the project: data/, notebooks/, reports/

_HOME = ".segkit-"  # begins the name of a home, and of a lock file
_LOCK, _BEFORE = "lock", "before"  # in a home: what is held, and what was in a place that is being exchanged
_homes: dict[Path, tuple[int | None, Sequence[Path]]] = {}  # of this process: handle of the lock, folders made for it
_LONGEST = 200  # characters of a path in a message
_LONGEST_NAME = 255  # bytes of a file's name

# DuckDB's words, then the system's, which also come as text: from a kernel, or through a library.
_FULL = re.compile(r"max_temp_directory_size|No space left on device|Disk quota exceeded")
_WRITTEN = re.compile(r"""["'](/[^"'\n]+)["']: (?:No space|Disk quota)|(?:on device|exceeded): ["'](/[^"'\n]+)["']""")

_CLOSED = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP)  # of a path, the user's to mend


@contextmanager
def building(place: Path, named: str = "") -> Iterator[Path]:
    """Give a path to build a file or folder at; when the work is done, it takes its place in one step.

    Until then, and where the work fails or is killed, the place stays as it was. An older file or folder there is
    replaced; of two that build the same, the later one stays. Where nothing was built, nothing changes.

    Parameters
    ----------
    place : path
        File or folder; its parents are made where they are missing.
    named : str
        How messages call it, such as ``--out x``; by default by its path.

    Yields
    ------
    Path
        Of the same name, and not there yet: to be written, or made with ``mkdir``.

    Raises
    ------
    InputError
        The place can't be written to: before the work begins. The message has the reason and the way out.

    Examples
    --------
    >>> shop = Path(tempfile.mkdtemp())
    >>> with building(shop / "audience.csv") as new:
    ...     _ = new.write_text("first")
    >>> with building(shop / "audience.csv") as new:
    ...     _ = new.write_text("second, and half do")
    ...     raise RuntimeError("killed")
    Traceback (most recent call last):
    RuntimeError: killed
    >>> (shop / "audience.csv").read_text(), len(list(shop.iterdir()))
    ('first', 1)
    """
    place = Path(os.path.realpath(place))
    check_name(place, named)
    check_writable(place.parent, named or str(place))
    missing = [parent for parent in place.parents if not parent.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        home = _open_home(place.parent, missing)
    except OSError as error:
        raise _closed(place.parent, named or str(place), error) from None
    try:
        with writing(place):
            yield home / place.name
            if os.path.lexists(home / place.name):
                _take_place(home / place.name, place)
    finally:
        _discard(home)


def _take_place(new: Path, place: Path) -> None:
    """Put what was built in its place in one step; what was there before goes with the home."""
    if not place.is_dir() or new.is_file():
        os.replace(new, place)
    elif not exchange(new, place):  # a file system that can't: two steps, and `_discard` goes back after the first
        (new.parent / _BEFORE).mkdir()
        place.rename(new.parent / _BEFORE / place.name)
        new.rename(place)


def exchange(one: Path, other: Path) -> bool:
    """Swap two files or folders in one step; False where the system or the file system can't.

    Linux: ``renameat2`` with ``RENAME_EXCHANGE``.
    """
    at_working_directory, swap = -100, 2
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    names = os.fsencode(one), os.fsencode(other)
    return rename is not None and rename(at_working_directory, names[0], at_working_directory, names[1], swap) == 0


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Let one process at a time work on a place; others wait. A process that ends lets go, however it ends.

    Parameters
    ----------
    place : path
        File or folder, there or not; the lock is a hidden file beside it, gone afterwards.

    Raises
    ------
    InputError
        The folder of `place` is missing or can't be written to.

    Examples
    --------
    >>> with locked(Path(tempfile.gettempdir()) / "step-3f2a"):
    ...     pass
    """
    path = place.with_name(f"{_HOME}{place.name}.lock")
    try:
        while (handle := _take_lock(path, wait=True)) is None:
            pass  # the one before removed the file while this one waited for it
    except OSError as error:
        raise _closed(place.parent, str(place.parent), error) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _take_lock(path: Path, wait: bool) -> int | None:
    """Return the handle of a lock file; None where somebody else holds it, or removed it meanwhile."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        if path.parent.exists():
            raise
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        if wait and error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
            return handle  # a file system without locks: nobody sweeps there either
        os.close(handle)
        raise
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _open_home(parent: Path, made: Sequence[Path] = (), mode: int = 0o777) -> Path:
    """Make a home below `parent` and hold it, having swept what others left; folders `made` for it go with it."""
    sweep(parent)
    while True:
        home = parent / f"{_HOME}{secrets.token_hex(6)}"
        home.mkdir(mode)
        if (handle := _take_lock(home / _LOCK, wait=True)) is not None:
            _homes[home] = handle, made
            return home


def sweep(parent: Path) -> None:
    """Remove the homes and lock files below a folder that nobody holds: of processes that were killed."""
    for left in parent.glob(f"{_HOME}*"):
        with suppress(OSError):  # another process is at it, or it is somebody else's
            home = left.is_dir() and re.fullmatch(r"[0-9a-f]{12}", left.name.removeprefix(_HOME))
            if left.is_symlink() or left in _homes or not (home or _is_lock(left)):
                continue
            handle = _take_lock(left / _LOCK if home else left, wait=False)
            if handle is not None and home:
                _homes[left] = handle, ()
                _discard(left)
            elif handle is not None:
                left.unlink(missing_ok=True)
                os.close(handle)


def _is_lock(path: Path) -> bool:
    return path.suffix == ".lock" and path.is_file() and path.stat().st_size == 0


def _discard(home: Path) -> None:
    """Remove a home that this process holds; what it had taken from a place goes back where that is empty."""
    for before in (home / _BEFORE).glob("*"):
        if not (home.parent / before.name).exists():
            with suppress(OSError):
                before.rename(home.parent / before.name)
    shutil.rmtree(home, ignore_errors=True)
    handle, made = _homes.pop(home, (None, ()))
    for folder in made:
        with suppress(OSError):  # it holds what was built
            folder.rmdir()
    if handle is not None:
        os.close(handle)


@atexit.register
def remove_own() -> None:
    """Remove all homes of this process."""
    for home in list(_homes):
        _discard(home)


@contextmanager
def temporary() -> Iterator[Path]:
    """Give a folder for temporary files that does not stay, whatever happens."""
    folder = temporary_folder()
    try:
        yield folder
    finally:
        _discard(folder.parent)


def temporary_folder() -> Path:
    """Return a new folder for temporary files that goes with this process, or if it is killed, with the next one's."""
    folder = _open_home(Path(tempfile.gettempdir()), mode=0o700) / "files"
    folder.mkdir()
    return folder


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
    segkit.InputError: --out x can't be written to (...disk.py: Not a directory): name a folder ...
    """
    there = folder = Path(os.path.abspath(folder))
    check_name(folder, named)
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        _discard(_open_home(there))
    except OSError as error:  # asking for permissions would not do: nobody may write to /proc, whatever they say
        raise _closed(there, named or str(folder), error) from None


def check_shared_memory() -> None:
    """Refuse a machine on which processes can't share memory: before the work that several of them do.

    Raises
    ------
    InputError
        ``/dev/shm`` can't be written to, as in a container that mounts it read-only.
    """
    from multiprocessing import Lock

    try:
        Lock()
    except OSError as error:
        raise InputError(
            f"/dev/shm can't be written to ({error.strerror}), and processes side by side share memory there: "
            "mount it writable, such as with docker run --tmpfs /dev/shm"
        ) from None


def check_name(path: Path, named: str = "") -> None:
    """Refuse a path with a name that is too long: beneath a missing folder the system only says so later."""
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in path.parts):
        raise _closed(path, named or str(path), OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)))


def _closed(there: Path, named: str, error: OSError) -> InputError:
    return InputError(
        f"{shortened(named)} can't be written to ({shortened(there)}: {error.strerror}): name a folder that you may "
        "write to, or mend its permissions"
    )


def shortened(path: object) -> str:
    """Return a path for a message, the middle of a very long one left out.

    Examples
    --------
    >>> shortened("reports/2017-09"), len(shortened("x" * 5000))
    ('reports/2017-09', 200)
    """
    text, half = str(path), (_LONGEST - 3) // 2
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3 - half]}...{text[-half:]}"


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let an error of the disk say what was written, where the system itself doesn't.

    Unless it is the disk for temporary files that is full, and this one is not.

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
        if not error.filename and not (_is_full(Path(tempfile.gettempdir())) and not _is_full(path.parent)):
            error.filename = str(path)
        raise


def _is_full(folder: Path) -> bool:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free < 2**20


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
    if not path or re.match(rf"{re.escape(temporary)}/\.?segkit-", str(path)):
        return f"the folder for temporary files, {temporary}, is full: make room there, or name a larger one in TMPDIR"
    folder = re.sub(rf"/{re.escape(_HOME)}.*", "", str(Path(path).parent))  # of a home, the folder that it lies in
    return f"{folder} is full: make room there, or name another folder"


def tell_closed_place(error: BaseException) -> str:
    """Return which file or folder can't be used and why, where a path is what an error came of; else "".

    Examples
    --------
    >>> tell_closed_place(PermissionError(errno.EACCES, "Permission denied", "/srv/orders.csv"))
    "/srv/orders.csv can't be used (Permission denied): name another path, or mend its permissions"
    >>> tell_closed_place(FileNotFoundError(errno.ENOENT, "No such file", "segkit/page.css"))
    ''
    """
    if not isinstance(error, OSError) or error.errno not in _CLOSED or not error.filename:
        return ""
    path = shortened(os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else error.filename)
    return f"{path} can't be used ({error.strerror}): name another path, or mend its permissions"


def expanded(path: str | Path, named: str) -> Path:
    """Return a path whose ``~`` is the home folder it stands for.

    Examples
    --------
    >>> expanded("~nobody-here/orders.csv", "--source")
    Traceback (most recent call last):
    segkit.InputError: --source ~nobody-here/orders.csv: there is no user of that name
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{named} {shortened(path)}: there is no user of that name") from None
