"""The months of a dataset in order: those that are missing or stale are made, the others stay."""

import re
import time
from pathlib import Path

from segkit.data.cards.card import read_card
from segkit.data.periods import next_month
from segkit.reporting.finished_runs import FinishedMonth, finished_months, month_before, stale_months
from segkit.reporting.results import has_same_data
from segkit.reporting.run_chain import made_by, run_report
from segkit.reporting.series_page import write_series
from segkit.reporting.study.study_opening import open_study
from segkit.runtime.disk import ROOT, check_writable
from segkit.runtime.errors import InputError


def run_months(
    dataset: str, first: str, last: str, source: str = "", out: Path | None = None, tell=print, **settings
) -> Path:
    """Run every month from `first` to `last` in order and return the path of the series page over all of them.

    A month that is finished and would come out the same stays as it is: same data, same parameters, same segkit, and
    the month before as it was. So a call that was broken off is finished by the same call again.

    Parameters
    ----------
    dataset, source, out, **settings
        As for `run_report`.
    first, last : str
        ``"2017-04"``.
    tell : callable
        Is told in a sentence what is done about each month, and why.

    Raises
    ------
    InputError
        A month is not YYYY-MM, or the last is before the first; and as for `run_report`. Months before stay.
    """
    months = months_between(first, last)
    card = read_card(dataset, source or None)
    shelf = Path(out or ROOT / "reports").resolve() / card.name
    check_writable(shelf, f"--out {out}" if out else "")
    for month in months:
        done = finished_months(shelf)
        reason = _why_run(month, done, stale_months(done), dataset, source, settings)
        if reason:
            tell(f"{month}: {reason}")
            start = time.perf_counter()
            run_report(dataset, month=month, source=source, out=out, **settings)
            way = next(one for one in finished_months(shelf) if one.label == month).record["months"]
            tell(f"{month}: done in {time.perf_counter() - start:.0f} s. {way['why']}")
        else:
            tell(f"{month}: is there, and nothing it depends on has changed")
    return write_series(shelf, card.title, card.currency)


def months_between(first: str, last: str) -> list[str]:
    """Return the months from `first` to `last`, both included.

    Examples
    --------
    >>> months_between("2017-11", "2018-01")
    ['2017-11', '2017-12', '2018-01']
    >>> months_between("2017-11", "2017-10")
    Traceback (most recent call last):
    segkit.InputError: --to 2017-10 is before --from 2017-11
    """
    for option, month in (("--from", first), ("--to", last)):
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            raise InputError(f"{option} {month!r} is not YYYY-MM; for example 2017-09")
    if last < first:
        raise InputError(f"--to {last} is before --from {first}")
    months = [first]
    while months[-1] < last:
        months.append(next_month(months[-1]))
    return months


def _why_run(
    month: str, done: list[FinishedMonth], stale: dict[str, str], dataset: str, source: str, settings: dict
) -> str:
    """Return why a month has to be made; nothing where it is there and would come out the same."""
    own = next((one for one in done if one.label == month), None)
    if own is None:
        return "being made"
    if month in stale:
        return f"being made again: {stale[month]}"
    before = month_before(own.folder.parent, month)
    study = open_study(dataset, month=month, source=source, previous=before.folder if before else "", **settings)
    parameters = study.parameters.as_dict()
    if before is None:  # nothing to keep: however it was asked for, the model is fitted
        parameters = {name: given for name, given in parameters.items() if name not in ("way", "refit_after")}
    if changed := [name for name, given in parameters.items() if own.record["parameters"].get(name) != given]:
        return f"being made again: {', '.join(changed)} changed"
    if own.record["made_by"] != made_by(study):
        return "being made again: the card, or segkit itself, changed"
    try:
        same = own.record["inputs"] == study.orders.inputs or has_same_data(study, own.folder)
    finally:
        study.orders.close()  # the months that are made need the memory, or the cores of a cluster
    return "" if same else "being made again: its data changed"
