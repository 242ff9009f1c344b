"""What is read of a finished run: its record, its model, and all that the next month goes on from.

A run folder may have been damaged or edited: whatever can't be what segkit wrote is refused, and the file is named.
"""

import hashlib
import math
import re
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from segkit.clustering.arrays import read_arrays
from segkit.clustering.segmentation import LEFT_OUT, Segmentation
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import damaged, read_json, read_table

HISTORY = "history.json"  # in model/: what lasts from month to month beside the model itself
_TABLES = ("assignments", "segments", "profile", "name_words", "features", "map", "forecasts")
_MODEL = ("segmentation.json", "rule.npz", "resampled.npz", HISTORY)


@dataclass(frozen=True)
class EarlierMonth:
    """What a study needs of the month before; made by `read_run`, or by the study of that month.

    Attributes
    ----------
    label, as_of
        The month, and its last day counted.
    segmentation : Segmentation
        The model, with the ids and names as they were delivered.
    assigned : DataFrame
        Index customer_id; ``segment_id, confidence``, as delivered.
    features, positions : DataFrame
        Index customer_id: the features, and ``x, y`` on the map.
    segments, profile, words : DataFrame
        As in the tables ``segments``, ``profile`` and ``name_words``.
    forecasts : DataFrame or None
        Every forecast so far, as in the table ``forecasts``.
    history : dict
        ``fit`` (what is known of the model since it was fitted), ``used_ids``, ``moves`` (of the months it was used).
    digest : str
        A hash of all of the above: another one means that the month was made anew and came out otherwise.
    """

    label: str
    as_of: date
    segmentation: Segmentation
    assigned: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    positions: pd.DataFrame = field(repr=False)
    segments: pd.DataFrame = field(repr=False)
    profile: pd.DataFrame = field(repr=False)
    words: pd.DataFrame = field(repr=False)
    forecasts: pd.DataFrame | None = field(repr=False)
    history: dict = field(repr=False)
    digest: str = field(repr=False)

    @property
    def fit(self) -> dict:
        """What is known of the model since it was fitted."""
        return self.history["fit"]

    @cached_property
    def moves(self) -> list[pd.DataFrame]:
        """The moves of the months that the model was used in, oldest first, as `forecast_sizes` takes them."""
        columns = ["from_segment_id", "to_segment_id", "customers"]
        return [pd.DataFrame(month, columns=columns) for month in self.history["moves"]]


def read_run(folder: Path | str) -> EarlierMonth:
    """Return a finished run as the month before.

    Raises
    ------
    InputError
        The folder holds no finished run, one of a version of segkit that kept no history, or a damaged file; the
        message names it.

    Examples
    --------
    >>> read_run("reports/no-such-run")
    Traceback (most recent call last):
    segkit.InputError: reports/no-such-run is no month to go on from: it has no model/history.json; run it anew
    """
    folder = Path(folder)
    if not (folder / "model" / HISTORY).exists():
        raise InputError(f"{folder} is no month to go on from: it has no model/{HISTORY}; run it anew")
    record = read_record(folder)
    if not is_month(record["month"]) or record["as_of"] is None:
        raise damaged(folder / "run.json", f"its month is {record['month']!r}, as of {record['as_of']}")
    segmentation, tables = read_model(folder), read_tables(folder, *_TABLES[:-1])
    if (folder / "tables" / "forecasts.parquet").exists():
        tables |= read_tables(folder, "forecasts")
    known = {*segmentation.segment_ids, LEFT_OUT}
    for name in ("assignments", "segments", "profile", "name_words"):
        if strange := set(tables[name].get("segment_id", ())) - known:
            path = folder / "tables" / f"{name}.parquet"
            raise damaged(path, f"the model has no segment {sorted(map(str, strange))[0]}")
    return EarlierMonth(
        record["month"],
        date.fromisoformat(record["as_of"]),
        segmentation,
        tables["assignments"].set_index("customer_id")[["segment_id", "confidence"]],
        tables["features"].set_index("customer_id"),
        tables["map"].set_index("customer_id"),
        tables["segments"],
        tables["profile"],
        tables["name_words"],
        tables.get("forecasts"),
        _read_history(folder / "model" / HISTORY),
        run_digest(folder),
    )


def is_month(label: str) -> bool:
    """Return whether a text is a month, YYYY-MM.

    Examples
    --------
    >>> is_month("2017-09"), is_month("2017-13"), is_month("2017-09-30")
    (True, False, False)
    """
    return bool(re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", label))


def read_record(folder: Path, **kinds: type) -> dict:
    """Return the ``run.json`` of a finished run: its month and day, and further keys, each of its kind.

    Raises
    ------
    InputError
        There is none, or it is damaged: a key is missing, or of another type.
    """
    if not (folder / "run.json").exists():
        raise InputError(f"{folder} is no finished run: it has no run.json; make one with segkit report")
    record = read_json(folder / "run.json", month=str, as_of=(str, type(None)), **kinds)
    try:
        _ = record["as_of"] is None or date.fromisoformat(record["as_of"])
    except ValueError:
        raise damaged(folder / "run.json", f"its as_of is {record['as_of']!r}") from None
    return record


def read_model(folder: Path) -> Segmentation:
    """Return the frozen model of a finished run; nothing in its files is executed.

    Raises
    ------
    InputError
        There is none, or it is damaged; the message names the file.
    """
    model = folder / "model"
    if not (model / "segmentation.json").exists():
        raise InputError(f"{folder} is no finished run: it has no model/segmentation.json; make one with segkit report")
    read_json(model / "segmentation.json")
    for name in ("rule.npz", "resampled.npz"):
        try:
            read_arrays(model / name)
        except Exception as error:  # an archive can be wrong in more ways than there are names for
            raise damaged(model / name, error) from error
    try:
        return Segmentation.load(model)
    except InputError as error:
        if str(model / "segmentation.json") in str(error) or "another version" in str(error):
            raise
        raise damaged(model / "segmentation.json", error.__cause__ or error) from error


def read_tables(folder: Path, *names: str) -> dict[str, pd.DataFrame]:
    """Return tables of a finished run by name; every customer stands once in those that have a row per customer.

    Raises
    ------
    InputError
        One is missing or damaged; the message names it.
    """
    tables = {}
    for name in names:
        path = folder / "tables" / f"{name}.parquet"
        table = tables[name] = read_table(path)
        for column in {"customer_id", "segment_id"} & set(table):
            if table[column].isna().any():
                raise damaged(path, f"its column {column} has gaps")
        key = {"segments": "segment_id"}.get(name, "customer_id")
        if key in table and name in ("assignments", "features", "map", "segments") and table[key].duplicated().any():
            raise damaged(path, f"a {key} stands in it twice")
        if not len(table) and name in ("assignments", "features", "segments"):
            raise damaged(path, "it is empty")
    if {"assignments", "features"} <= set(names):
        customers = [set(tables[name]["customer_id"]) for name in ("assignments", "features")]
        if customers[0] != customers[1]:
            path = folder / "tables" / "assignments.parquet"
            raise damaged(path, "its customers aren't those of features.parquet")
    return tables


def _read_history(path: Path) -> dict:
    history = read_json(path, fit=dict, used_ids=list, moves=list)
    fit = history["fit"]
    if not all(isinstance(one, str) for one in history["used_ids"]):
        raise damaged(path, "its used_ids are no texts")
    for move in [move for month in history["moves"] for move in (month if isinstance(month, list) else [None])]:
        numbered = isinstance(move, list) and len(move) == 3 and isinstance(move[2], int | float)
        if not numbered or not all(isinstance(one, str) for one in move[:2]) or not 0 <= move[2] < math.inf:
            raise damaged(path, f"{move!r} is no move")
    kinds = {"month": str, "as_of": str, "parameters": dict, "judged": bool, "figures": dict, "verdict": dict}
    kinds |= {"forward": str, "stability": dict, "pairs": dict}
    for key, kind in kinds.items():
        if not isinstance(fit.get(key), kind):
            raise damaged(path, f"`{key}` of its fit is {fit.get(key)!r}")
    for key in ("stability", "pairs"):
        columns, rows = fit[key].get("columns"), fit[key].get("rows")
        if not isinstance(columns, list) or not isinstance(rows, list):
            raise damaged(path, f"`{key}` of its fit is no table")
        if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
            raise damaged(path, f"`{key}` of its fit has a row of another length")
    return history


def run_digest(folder: Path) -> str:
    """Return a hash of all that the next month reads of a finished run."""
    paths = [folder / "model" / name for name in _MODEL]
    paths += [folder / "tables" / f"{name}.parquet" for name in _TABLES]
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"absent")
    return whole.hexdigest()
