"""Put the customers of any day into the segments of a finished run, by its frozen model; nothing is fitted."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd

from segkit.clustering.assign import assign_customers
from segkit.clustering.segmentation import LEFT_OUT, UNSEGMENTED, Segmentation
from segkit.data.cards.card import Card, read_card
from segkit.data.check import tell_dirty_lines
from segkit.data.data_sentences import tell_coverage
from segkit.data.explore import uncovered_days
from segkit.data.orders import Orders, read_orders
from segkit.data.periods import check_sales, last_day_counted
from segkit.data.ready_table import read_ready
from segkit.features.build import CustomerFeatures, customer_features
from segkit.monitoring.previous_month import read_model
from segkit.runtime.disk import building, check_name, check_writable, shortened
from segkit.runtime.errors import InputError
from segkit.runtime.memory import check_memory
from segkit.runtime.tables.files import write_csv

LEAST_HISTORY = 0.5  # of the days of orders that the model was fitted on


def score_customers(
    run: Path | str,
    dataset: str | Path,
    month: str = "",
    as_of: str = "",
    source: str = "",
    tell: Callable[[str], object] | None = None,
) -> pd.DataFrame:
    """Return the segment of every customer of a dataset by the frozen model of a finished run.

    Features are made as of the day by the recipe that the model keeps (the same categories, the same columns), then
    the rule is applied. The dataset and day of the run itself give the run's own assignments, row by row.

    Customers with too little history are put into S0, and ``reason`` says why:

    - less than half is known of what the model works on, as in the run itself;
    - the order lines reach back less than half as far as those that the model was fitted on (this concerns everybody);
    - they have no order within the days that the model counts. On another day than the run's own, these are listed too
      (who ordered before, or stands in the shop's table of customers), so that a system that was told their segment
      then hears that it has ended.

    Parameters
    ----------
    run : path
        A finished run, such as ``reports/complete-journey/2017-09``.
    dataset : str or path
        As for `open_study`.
    month, as_of, source : str
        The day to score and the file to read; by default the day of the run, and the file of the card.
    tell : callable, optional
        Is called with each warning about the order lines: `tell_data`. Without it, they are not checked.

    Returns
    -------
    DataFrame
        Index customer_id; ``segment_id, segment, confidence, nearest_segment_id, reason`` as `assign_customers` has it.

    Raises
    ------
    InputError
        The folder holds no finished run, or a damaged one; the dataset lacks what the model's features need, or has no
        orders in the month; the message names it.

    Examples
    --------
    >>> score_customers("reports/no-such-run", "complete-journey")
    Traceback (most recent call last):
    segkit.InputError: reports/no-such-run is no finished run: it has no model/segmentation.json; ...
    """
    segmentation, card = open_model(run, dataset, source)
    if card.ready is not None:
        return assign_customers(segmentation, read_ready(card).table)
    day = last_day_counted(month, as_of) if month or as_of else segmentation.as_of
    orders = read_orders(card, day)
    with orders:
        check_sales(orders, month or str(day), day, segmentation.window_days)
        for warning in tell_data(orders, month or str(day), day) if tell else ():
            tell(warning)
        check_memory(int(orders.ledger.set_index("reason")["customers"].get("sale", 0)))
        features = _features(orders, day, segmentation)
        others = features.table.index[:0]
        if day != segmentation.as_of or source:
            others = _without_orders(orders, features.table.index)
        too_little = left_out_why(orders, day, segmentation)
    scores = assign_customers(segmentation, features.table)
    if too_little:
        scores = _left_out(scores.index, too_little)
    why = without_orders_why(day, segmentation)
    if len(others):
        scores = pd.concat([scores, _left_out(others, why)]).sort_index().rename_axis("customer_id")
    return scores


def _features(orders: Orders, day: date, segmentation: Segmentation) -> CustomerFeatures:
    try:
        return customer_features(orders, day, segmentation.window_days, segmentation.recipe)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the model's recipe of features is damaged ({error!r}): run the report again") from error


def open_model(run: Path | str, dataset: str | Path, source: str = "") -> tuple[Segmentation, Card]:
    """Return the frozen model of a finished run and the card of a dataset of the same kind."""
    segmentation, card = read_model(Path(run)), read_card(dataset, source or None)
    if (card.ready is None) != (segmentation.as_of is not None):
        made_of = "a ready table" if segmentation.as_of is None else "order lines"
        raise InputError(
            f"{Path(run) / 'model'} was fitted on {made_of}, and dataset {card.name} is none: its features differ"
        )
    return segmentation, card


def tell_data(orders: Orders, label: str, day: date) -> list[str]:
    """Return what the user should know of the order lines: days that are missing, lines that repeat or are broken."""
    coverage = tell_coverage(label, day, orders.last_day, uncovered_days(orders, day))
    return [*filter(None, [coverage]), *tell_dirty_lines(orders)]


def left_out_why(orders: Orders, day: date, segmentation: Segmentation) -> str:
    """Return why nobody can be scored on a day, "" where the order lines reach back far enough."""
    covered = min(segmentation.window_days, (day - orders.first_day).days + 1)
    if covered >= LEAST_HISTORY * segmentation.window_days:
        return ""
    return f"too little history: {covered} days of orders, and the model was fitted on {segmentation.window_days}"


def without_orders_why(day: date, segmentation: Segmentation) -> str:
    """Return the reason of customers who ordered nothing in the window."""
    return f"too little history: no order in the {segmentation.window_days} days up to {day}"


def known_customers(orders: Orders) -> str:
    """Return the query of everybody who ever ordered, or whom the shop's table of customers lists."""
    known = "SELECT CAST(customer_id AS VARCHAR) AS customer_id FROM orders WHERE NOT is_return"
    listed = " UNION SELECT CAST(customer_id AS VARCHAR) AS customer_id FROM customers"
    return f"SELECT DISTINCT customer_id FROM ({known}{listed if 'customers' in orders.columns else ''}) AS known"


def _without_orders(orders: Orders, customers: pd.Index) -> pd.Index:
    """Return the customers who are known but ordered nothing within the window."""
    listed = orders.connection.execute(known_customers(orders)).fetchnumpy()
    return pd.Index(next(iter(listed.values())).astype(object), dtype=customers.dtype).difference(customers)


def _left_out(customers: pd.Index, why: str) -> pd.DataFrame:
    texts = {"segment_id": LEFT_OUT, "segment": UNSEGMENTED, "nearest_segment_id": None}
    columns = {name: pd.Series(text, customers, dtype="str") for name, text in texts.items()}
    return pd.DataFrame(columns | {"confidence": float("nan"), "reason": pd.Series(why, customers, dtype="str")})


def write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """Write scored customers as parquet or CSV, by the ending of `path`; whole or not at all; see `check_place`."""
    check_place(path)
    with building(path, f"--out {path}") as new:
        if path.suffix == ".csv":
            write_csv(scores.rename_axis("customer_id").reset_index(), new)
        else:
            scores.rename_axis("customer_id").reset_index().to_parquet(new, index=False)
    return path


def check_place(path: Path) -> None:
    """Refuse a file that scored customers can't be written to.

    Raises
    ------
    InputError
        An ending other than .parquet and .csv, a folder in its place, or a folder that isn't there or is closed.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"--out {shortened(path)}: scored customers are written as .parquet or .csv")
    check_name(path, f"--out {path}")
    if not path.parent.is_dir():
        raise InputError(f"--out {shortened(path)}: there is no folder {shortened(path.parent)}")
    if path.is_dir():
        raise InputError(f"--out {shortened(path)} is a folder: name a file in it")
    check_writable(path.parent, f"--out {path}")
