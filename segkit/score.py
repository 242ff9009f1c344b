"""Put the customers of any day into the segments of a finished run, by its frozen model; nothing is fitted."""

import os
from pathlib import Path

import pandas as pd

from segkit.cards import read_card
from segkit.errors import InputError
from segkit.features import customer_features
from segkit.handover import write_csv
from segkit.segmentation import Segmentation, assign_customers
from segkit.sources import read_orders, read_ready
from segkit.study import last_day_counted


def score_customers(
    run: Path | str, dataset: str | Path, month: str = "", as_of: str = "", source: str = ""
) -> pd.DataFrame:
    """Return the segment of every customer of a dataset by the frozen model of a finished run.

    Features are made as of the day by the recipe that the model keeps (the same categories, the same columns), then
    the rule is applied, so that the dataset and day of the run itself give the run's own assignments.

    Parameters
    ----------
    run : path
        A finished run, such as ``reports/complete-journey/2017-09``.
    dataset : str or path
        As for `segkit.study.open_study`.
    month, as_of, source : str
        The day to score and the file to read; by default the day of the run, and the file of the card.

    Returns
    -------
    DataFrame
        Index customer_id; ``segment_id, segment, confidence, nearest_segment_id, reason`` as `assign_customers` has it.

    Raises
    ------
    InputError
        The folder holds no finished run; the dataset lacks what the model's features need; the message names it.

    Examples
    --------
    >>> score_customers("reports/no-such-run", "complete-journey")
    Traceback (most recent call last):
    segkit.errors.InputError: reports/no-such-run is no finished run: it has no model/segmentation.json; ...
    """
    model = Path(run) / "model"
    if not (model / "segmentation.json").exists():
        raise InputError(f"{run} is no finished run: it has no model/segmentation.json; make one with segkit report")
    segmentation, card = Segmentation.load(model), read_card(dataset, source or None)
    if (card.ready is None) != (segmentation.as_of is not None):
        made_of = "a ready table" if segmentation.as_of is None else "order lines"
        raise InputError(f"{model} was fitted on {made_of}, and dataset {card.name} is none: its features differ")
    if card.ready is not None:
        return assign_customers(segmentation, read_ready(card).table)
    day = last_day_counted(month, as_of) if month or as_of else segmentation.as_of
    orders = read_orders(card, day)
    try:
        features = customer_features(orders, day, segmentation.window_days, segmentation.recipe)
    finally:
        orders.close()
    return assign_customers(segmentation, features.table)


def write_scores(scores: pd.DataFrame, path: Path) -> Path:
    """Write scored customers as parquet or CSV, by the ending of `path`; whole or not at all.

    Raises
    ------
    InputError
        Another ending, or a folder that doesn't exist.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"--out {path}: scored customers are written as .parquet or .csv")
    if not path.parent.is_dir():
        raise InputError(f"--out {path}: there is no folder {path.parent}")
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        if path.suffix == ".csv":
            write_csv(scores.rename_axis("customer_id").reset_index(), beside)
        else:
            scores.rename_axis("customer_id").reset_index().to_parquet(beside, index=False)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
