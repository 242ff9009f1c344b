"""Public datasets, downloaded once and held to their checksum."""

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from segkit.data.cards.card import Card, read_card
from segkit.data.source_files import digest_file
from segkit.runtime.disk import check_writable
from segkit.runtime.errors import InputError
from segkit.runtime.progress import progress_bar

_CHUNK = 1 << 20
_PATIENCE_SECONDS = 60


def fetch_dataset(name: str | Path) -> str:
    """Download what the card's [fetch] names, check it, put it where the card reads it; return what was done.

    The file is built beside its place and moved there when its checksum is right, so that a wrong or broken
    download leaves nothing behind. A file that is there already and right is not downloaded again.

    Parameters
    ----------
    name : str or path
        A dataset whose card has [fetch]: `url` and its `sha256`; for a zip `member`, and `member_sha256`; `path`.

    Raises
    ------
    InputError
        A card without [fetch], an address that can't be reached (with the way by hand), a wrong checksum, a zip
        without the member.

    Examples
    --------
    >>> fetch_dataset("complete-journey")
    Traceback (most recent call last):
    segkit.InputError: complete-journey has nothing to fetch; ...
    """
    card = read_card(name)
    if not card.fetch:
        raise InputError(f"{card.name} has nothing to fetch; `segkit datasets` says where its files come from")
    target = (card.folder / card.fetch["path"]).resolve()
    if not target.is_relative_to(card.folder.resolve()):
        raise InputError(f"{card.path.name}: [fetch] path {card.fetch['path']!r} leads out of the card's folder")
    wanted = card.fetch.get("member_sha256") or ("" if "member" in card.fetch else card.fetch["sha256"])
    if wanted and target.is_file() and digest_file(target) == wanted:
        return f"{target} is there already, and its checksum is right"
    check_writable(target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=target.parent))
    try:
        draft = folder / "download"
        _download(card, draft)
        if "member" in card.fetch:
            draft = _unpack(card, draft, folder / "member")
        os.replace(draft, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return f"fetched {target}, checksum right"


def _download(card: Card, draft: Path) -> None:
    url = card.fetch["url"]
    found = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as answer, draft.open("wb") as stream:
            total = int(answer.headers.get("Content-Length") or 0)
            with progress_bar(f"fetching {card.name}", total or None) as report:
                while chunk := answer.read(_CHUNK):
                    stream.write(chunk)
                    found.update(chunk)
                    report(stream.tell(), total, "")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InputError(f"{url} can't be downloaded ({error}). {_by_hand(card)}") from None
    if found.hexdigest() != card.fetch["sha256"]:
        raise InputError(
            f"{url} has the sha256 {found.hexdigest()} instead of {card.fetch['sha256']}: it was cut off or has been "
            f"changed, and nothing was kept. Try again; if it stays so, {_by_hand(card)[0].lower()}{_by_hand(card)[1:]}"
        )


def _unpack(card: Card, archive: Path, draft: Path) -> Path:
    member = card.fetch["member"]
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as source, draft.open("wb") as stream:
            shutil.copyfileobj(source, stream, _CHUNK)
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(f"{card.fetch['url']} is not a zip file with {member} in it ({error})") from None
    wanted = card.fetch.get("member_sha256")
    if wanted and digest_file(draft) != wanted:
        raise InputError(f"{member} in {card.fetch['url']} has another checksum than the card says; nothing was kept")
    return draft


def _by_hand(card: Card) -> str:
    inside = f", unpack {card.fetch['member']}" if "member" in card.fetch else ""
    return (
        f"By hand: open {card.fetch['url']} in a browser{inside} and put it at {card.folder / card.fetch['path']}; "
        f"or name a copy with --source FILE"
    )
