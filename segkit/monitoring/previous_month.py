"""The month before, as far as a study reads it: from its finished run, or from its study."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from segkit.clustering.segmentation import Segmentation
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import read_table

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
        The folder holds no finished run, or one of a version of segkit that kept no history; the message names it.

    Examples
    --------
    >>> read_run("reports/no-such-run")
    Traceback (most recent call last):
    segkit.InputError: reports/no-such-run is no month to go on from: it has no model/history.json; run it anew
    """
    folder = Path(folder)
    if not (folder / "model" / HISTORY).exists():
        raise InputError(f"{folder} is no month to go on from: it has no model/{HISTORY}; run it anew")
    record = json.loads((folder / "run.json").read_text())
    tables = {path.stem: read_table(path) for path in (folder / "tables").glob("*.parquet") if path.stem in _TABLES}
    return EarlierMonth(
        record["month"],
        date.fromisoformat(record["as_of"]),
        Segmentation.load(folder / "model"),
        tables["assignments"].set_index("customer_id")[["segment_id", "confidence"]],
        tables["features"].set_index("customer_id"),
        tables["map"].set_index("customer_id"),
        tables["segments"],
        tables["profile"],
        tables["name_words"],
        tables.get("forecasts"),
        json.loads((folder / "model" / HISTORY).read_text()),
        run_digest(folder),
    )


def run_digest(folder: Path) -> str:
    """Return a hash of all that the next month reads of a finished run."""
    paths = [folder / "model" / name for name in _MODEL]
    paths += [folder / "tables" / f"{name}.parquet" for name in _TABLES]
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"absent")
    return whole.hexdigest()
