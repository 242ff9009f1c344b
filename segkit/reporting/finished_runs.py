"""The finished runs of a dataset, a folder per month: which came before which, and which are stale."""

from dataclasses import dataclass
from pathlib import Path

from segkit.monitoring.previous_month import HISTORY, is_month, read_record, run_digest
from segkit.runtime.tables.files import damaged


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


def finished_months(runs: Path, before: str = "") -> list[FinishedMonth]:
    """Return the finished runs of months under ``<out>/<dataset>/``, earliest first; those of single days not.

    Parameters
    ----------
    runs : path
    before : str
        Only months before this one are read, so that a damaged month can be made again.

    Raises
    ------
    InputError
        The ``run.json`` of one is damaged; the message names it.
    """
    found = []
    for folder in sorted(runs.glob("????-??")):
        there = (folder / "run.json").exists() and (folder / "model" / HISTORY).exists()
        if there and is_month(folder.name) and not (before and folder.name >= before):
            found.append(FinishedMonth(folder.name, folder, _read_month(folder)))
    return found


def _read_month(folder: Path) -> dict:
    record = {name: {} for name in ("parameters", "made_by", "inputs")} | read_record(folder, months=dict)
    path, months = folder / "run.json", record["months"]
    for name in ("parameters", "made_by", "inputs"):
        if not isinstance(record[name], dict):
            raise damaged(path, f"its {name} is {record[name]!r}")
    if not isinstance(record.get("days_counted") or record.get("window_days"), int):
        raise damaged(path, "it doesn't say how many days it counted")
    previous = months.get("previous", ())
    if record["month"] != folder.name:
        raise damaged(path, f"its month is {record['month']!r}")
    if not all(isinstance(months.get(name), str) for name in ("way", "why")):
        raise damaged(path, "it doesn't say which model the month used and why")
    if previous is None:
        return record
    texts = [previous.get(name) for name in ("month", "digest")] if isinstance(previous, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or not is_month(texts[0]):
        raise damaged(path, f"its month before is {previous!r}")
    return record


def month_before(runs: Path, label: str) -> FinishedMonth | None:
    """Return the latest finished month before `label`, if there is one."""
    earlier = finished_months(runs, before=label) if is_month(label) else []
    return earlier[-1] if earlier else None


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
