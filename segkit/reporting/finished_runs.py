"""The finished runs of a dataset, a folder per month: which came before which, and which are stale."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from segkit.monitoring.previous_month import HISTORY, run_digest


@dataclass(frozen=True)
class FinishedMonth:
    """A finished run of a month: its label, its folder, its ``run.json``."""

    label: str
    folder: Path
    record: dict

    @property
    def previous(self) -> dict | None:
        """Month and digest of the month before that it was held against."""
        return self.record["months"]["previous"]


def finished_months(shelf: Path) -> list[FinishedMonth]:
    """Return the finished runs of months under ``<out>/<dataset>/``, earliest first; those of single days not."""
    found = []
    for folder in sorted(shelf.glob("????-??")):
        record, history = folder / "run.json", folder / "model" / HISTORY
        if re.fullmatch(r"\d{4}-\d{2}", folder.name) and record.exists() and history.exists():
            found.append(FinishedMonth(folder.name, folder, json.loads(record.read_text())))
    return found


def month_before(shelf: Path, label: str) -> FinishedMonth | None:
    """Return the latest finished month before `label`, if there is one."""
    earlier = [month for month in finished_months(shelf) if month.label < label]
    return earlier[-1] if earlier and re.fullmatch(r"\d{4}-\d{2}", label) else None


def stale_months(months: list[FinishedMonth]) -> dict[str, str]:
    """Return, by month, why it should be made again: an earlier month has changed since.

    A month is stale when the month before it is another one or came out otherwise than when it was read, and so are
    all that follow it.
    """
    stale: dict[str, str] = {}
    for place, month in enumerate(months):
        if not place:
            continue  # months before the first may have been put away
        before = months[place - 1]
        read = month.previous["month"] if month.previous else None
        if read != before.label:
            stale[month.label] = f"it was held against {read or 'nothing'}, and the month before is {before.label}"
        elif before.label in stale:
            stale[month.label] = f"{before.label} is stale"
        elif month.previous["digest"] != run_digest(before.folder):
            stale[month.label] = f"{before.label} has changed since"
    return stale
