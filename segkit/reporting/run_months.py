"""The months of a dataset in order: those that are missing or stale are made, the others stay."""

import re
import time
from pathlib import Path

from segkit.clustering.segmentation import Segmentation
from segkit.data.cards.card import Card, read_card
from segkit.data.periods import last_day_counted, next_month
from segkit.features.build import build_features
from segkit.reporting.finished_runs import FinishedMonth, finished_months, month_before, stale_months
from segkit.reporting.publish import column_of
from segkit.reporting.run_chain import chain_of, made_by, run_report
from segkit.reporting.series_page import write_series
from segkit.run import NOTEBOOKS, open_orders
from segkit.runtime.disk import ROOT, check_shared_memory, check_writable, expanded, temporary
from segkit.runtime.errors import InputError
from segkit.runtime.parameters import Parameters, read_parameters
from segkit.runtime.tables.files import write_table


def run_months(
    dataset: str,
    first: str,
    last: str,
    source: str = "",
    out: Path | None = None,
    notebooks: Path | None = None,
    tell=print,
    **settings,
) -> Path:
    """Run every month from `first` to `last` in order and return the path of the series page over all of them.

    A month that is finished and would come out the same stays as it is: same data, same parameters, same notebooks,
    same segkit, and the month before as it was. So a call that was broken off is finished by the same call again.

    Parameters
    ----------
    dataset, source, out, notebooks, **settings
        As for `run_report`. Where `notebooks` is not given, months go on with the notebooks of the month before.
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
    shelf = expanded(out or ROOT / "reports", "--out").resolve() / card.name
    check_writable(shelf, f"--out {out}" if out else "")
    check_shared_memory()
    parameters = read_parameters(card.defaults, settings)
    for month in months:
        done = finished_months(shelf)
        folder = which_notebooks(notebooks, done, month)
        reason = _why_run(month, done, stale_months(done), card, parameters, folder)
        if reason:
            tell(f"{month}: {reason}")
            start = time.perf_counter()
            run_report(dataset, month=month, source=source, out=out, notebooks=folder, **settings)
            way = next(one for one in finished_months(shelf) if one.label == month).record["months"]
            tell(f"{month}: done in {time.perf_counter() - start:.0f} s. {way['why']}")
        else:
            tell(f"{month}: is there, and nothing it depends on has changed")
    return write_series(shelf, card.title, card.currency)


def which_notebooks(asked: Path | None, done: list[FinishedMonth], month: str) -> Path:
    """Return the folder of notebooks for a month: that which was asked for, else that of the latest month before.

    Raises
    ------
    InputError
        The folder of the month before is no longer there: it is named, so that nothing switches silently.
    """
    if asked is not None:
        return expanded(asked, "--notebooks")
    before = [one for one in done if one.label <= month]
    folder = Path(before[-1].record.get("notebooks", {}).get("folder", NOTEBOOKS)) if before else NOTEBOOKS
    if not folder.is_dir():
        raise InputError(
            f"{before[-1].label} was made with the notebooks in {folder}, which is not there: name a folder with "
            "--notebooks"
        )
    return folder


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
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
            raise InputError(f"{option} {month!r} is not YYYY-MM; for example 2017-09")
    if last < first:
        raise InputError(f"--to {last} is before --from {first}")
    months = [first]
    while months[-1] < last:
        months.append(next_month(months[-1]))
    return months


def _why_run(
    month: str, done: list[FinishedMonth], stale: dict[str, str], card: Card, parameters: Parameters, notebooks: Path
) -> str:
    """Return why a month has to be made; nothing where it is there and would come out the same."""
    own = next((one for one in done if one.label == month), None)
    if own is None:
        return "being made"
    if month in stale:
        return f"being made again: {stale[month]}"
    before = month_before(own.folder.parent, month)
    given = parameters.as_dict()
    if before is None:  # nothing to keep: however it was asked for, the model is fitted
        given = {name: setting for name, setting in given.items() if name not in ("way", "refit_after")}
    if changed := [name for name, setting in given.items() if own.record["parameters"].get(name) != setting]:
        return f"being made again: {', '.join(changed)} changed"
    then, now = own.record["made_by"], made_by(card, chain_of(notebooks, card, before is not None, parameters))
    if other := [name for name in now if then.get(name) != now[name]]:
        words = {"card": "the card", "code": "segkit itself", "notebooks": "the notebooks' code"}
        return f"being made again: {' and '.join(words[name] for name in other)} changed"
    orders = open_orders(card, last_day_counted(month))
    try:
        same = own.record["inputs"] == orders.inputs or _has_same_data(orders, own)
    finally:
        orders.close()  # the months that are made need the memory, or the cores of a cluster
    return "" if same else "being made again: its data changed"


def _has_same_data(orders, run: FinishedMonth) -> bool:
    """Return whether a finished run was made of the same rows, whatever else its files have gained since."""
    model = Segmentation.load(run.folder / "model")
    features = build_features(orders, orders.as_of, model.window_days, recipe=model.recipe)
    present = features.dictionary[features.dictionary["present"]]
    about = {feature: column_of(row) for feature, row in present.iterrows()}
    with temporary() as folder:
        made = [write_table(orders.ledger, "ledger", folder), write_table(features.table, "features", folder, about)]
        old = [run.folder / "tables" / path.name for path in made]
        return all(b.is_file() and a.read_bytes() == b.read_bytes() for a, b in zip(made, old, strict=True))
