"""Public datasets, downloaded once and held to their checksum."""

import re
import shutil
import zipfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from segkit.data.cards.card import Card, read_card
from segkit.data.source_files import digest_file
from segkit.runtime.disk import building
from segkit.runtime.errors import InputError
from segkit.runtime.progress import progress_bar

_SCHEME = "https"
_CHUNK = 1 << 20
_PATIENCE_SECONDS = 60


def fetch_dataset(name: str | Path) -> str:
    """Download what the card's [fetch] names, check it, put it where the card reads it; return what was done.

    The file is built beside its place and moved there when its checksum is right, so that a wrong or broken
    download leaves nothing behind. A file that is there already and right is not downloaded again.

    Parameters
    ----------
    name : str or path
        A dataset whose card has [fetch]: `url` (https) and its `sha256`; for a zip `member`, and `member_sha256`;
        `path`, below ``raw/`` in the card's folder.

    Raises
    ------
    InputError
        A card without [fetch]; an address other than https, or one that leads elsewhere or can't be reached (with the
        way by hand); a path outside of ``raw/``, or a folder; a wrong checksum; a zip without the member.

    Examples
    --------
    >>> fetch_dataset("complete-journey")
    Traceback (most recent call last):
    segkit.InputError: complete-journey has nothing to fetch; ...
    """
    card = read_card(name)
    if not card.fetch:
        raise InputError(f"{card.name} has nothing to fetch; `segkit datasets` says where its files come from")
    target = _target(card)
    wanted = _checksum(card, "member_sha256") if "member" in card.fetch else _checksum(card, "sha256")
    _check_address(card)
    if wanted and target.is_file() and digest_file(target) == wanted:
        return f"{target} is there already, and its checksum is right"
    with building(target) as new:
        archive = new.with_name("download")
        _download(card, archive)
        if "member" in card.fetch:
            _unpack(card, archive, new, wanted)
        else:
            archive.rename(new)
    return f"fetched {target}, checksum right"


def _target(card: Card) -> Path:
    """Return where the file belongs: below raw/ in the card's folder, and nowhere else."""
    path, where = card.fetch["path"], f"{card.path.name}: [fetch] path {card.fetch['path']!r}"
    raw = (card.folder / "raw").resolve()
    try:
        target = (card.folder / path).resolve()
        folder = target.is_dir() or path.endswith("/") or target == raw
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null
        raise InputError(f"{where} can't be the name of a file ({getattr(error, 'strerror', error)})") from None
    if not target.is_relative_to(raw):
        raise InputError(f"{where} leads out of raw/ in the card's folder: downloads go there and nowhere else")
    if folder:
        raise InputError(f'{where} is a folder: name the file, such as "raw/orders.csv"')
    return target


def _checksum(card: Card, key: str) -> str:
    written = card.fetch.get(key, "").lower()
    if written and not re.fullmatch(r"[0-9a-f]{64}", written):
        raise InputError(f"{card.path.name}: [fetch] {key} must be 64 hexadecimal digits")
    return written


def _check_address(card: Card) -> None:
    """Refuse an address that isn't https, or that holds a password, without ever showing that."""
    try:
        parts = urlsplit(card.fetch["url"])
    except ValueError:
        raise InputError(f"{card.path.name}: [fetch] url is no address") from None
    if parts.password is not None or parts.username is not None:
        raise InputError(f"{card.path.name}: [fetch] url holds a name or password, and cards are shared: leave it out")
    if parts.scheme != _SCHEME or not parts.hostname:
        raise InputError(f"{card.path.name}: [fetch] url must begin with https://, not {parts.scheme or 'a path'}")


def _download(card: Card, target: Path) -> None:
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("ERROR")  # else it tells what the progress bar shows
    url, known = card.fetch["url"], _checksum(card, "sha256")
    with progress_bar(f"fetching {card.name}") as report:
        get = pooch.HTTPDownloader(
            progressbar=_Progress(report), chunk_size=_CHUNK, timeout=_PATIENCE_SECONDS, hooks={"response": _stay}
        )
        try:
            pooch.retrieve(url, f"sha256:{known}", target.name, target.parent, downloader=get)
        except RequestException as error:
            raise InputError(f"{url} can't be downloaded ({error}). {_by_hand(card)}") from None
        except ValueError:
            by_hand = _by_hand(card)
            raise InputError(
                f"{url} has another sha256 than {known}: it was cut off or has been changed, and nothing was kept. "
                f"Try again; if it stays so, {by_hand[0].lower()}{by_hand[1:]}"
            ) from None


def _stay(response, *_, **__) -> None:
    """Refuse an answer that leads to another server, or away from https."""
    from requests import RequestException

    if response.is_redirect:
        begun, to = urlsplit(response.url), urlsplit(urljoin(response.url, response.headers["location"]))
        if (to.scheme, to.netloc) != (begun.scheme, begun.netloc):
            raise RequestException(f"it leads elsewhere, to {to.scheme}://{to.hostname}, which isn't followed")


class _Progress:
    """What pooch tells of a download, as `progress_bar` takes it."""

    def __init__(self, report):
        self.report, self.total, self.done = report, 0, 0

    def update(self, size: int) -> None:
        self.done += size
        self.report(self.done, self.total, "")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _unpack(card: Card, archive: Path, target: Path, wanted: str) -> None:
    member = card.fetch["member"]
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as source, target.open("wb") as stream:
            shutil.copyfileobj(source, stream, _CHUNK)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{card.fetch['url']} is not a zip file with {member} in it ({error})") from None
    if wanted and digest_file(target) != wanted:
        raise InputError(f"{member} in {card.fetch['url']} has another checksum than the card says; nothing was kept")


def _by_hand(card: Card) -> str:
    inside = f", unpack {card.fetch['member']}" if "member" in card.fetch else ""
    return (
        f"By hand: open {card.fetch['url']} in a browser{inside} and put it at {card.folder / card.fetch['path']}; "
        f"or name a copy with --source FILE"
    )
