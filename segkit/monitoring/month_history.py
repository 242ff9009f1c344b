"""What lasts from month to month beside the model: how it was found, which ids were used, and who moved under it."""

import hashlib
import json

import pandas as pd

from segkit.data.periods import last_day_counted, next_month
from segkit.monitoring.migration import migrations
from segkit.monitoring.previous_month import EarlierMonth
from segkit.segments.profile import sort_ids
from segkit.validation.candidates import Candidates
from segkit.validation.kept_model import record_fit

MOST_MOVES = 12  # months that a forecast goes back
_MOVED = ["from_segment_id", "to_segment_id", "customers"]


def moves_so_far(
    previous: EarlierMonth | None, label: str, kept: bool, before: pd.Series | None, now: pd.Series
) -> pd.DataFrame:
    """Return the moves of the months that this month's model has been used in, oldest first, by that model alone.

    Parameters
    ----------
    before : Series or None
        Index customer_id, segment_id: the customers of the month before by this month's model.
    now : Series
        Those of this month.

    Returns
    -------
    DataFrame
        ``place`` (0 is the oldest month), ``from_segment_id, to_segment_id, customers``; at most `MOST_MOVES` months.
    """
    months = [] if previous is None or not kept else list(previous.moves)
    if previous is not None and next_month(previous.label) == label and before is not None:
        months.append(migrations(before, now))  # over several months people move farther
    tables = [month[_MOVED].assign(place=place) for place, month in enumerate(months[-MOST_MOVES:])]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*_MOVED, "place"])


def by_month(moves: pd.DataFrame | None) -> list[pd.DataFrame]:
    """Return `moves_so_far` as a table per month, oldest first."""
    return [] if moves is None else [own.drop(columns="place") for _, own in moves.groupby("place", sort=True)]


def month_history(
    candidates: Candidates,
    segment_ids: tuple[str, ...],
    way,
    parameters: dict,
    label: str,
    as_of,
    previous: EarlierMonth | None = None,
    used_ids: tuple[str, ...] = (),
    moves: pd.DataFrame | None = None,
) -> dict:
    """Return what `EarlierMonth` reads of a month beside its model: ``previous, way, why, fit, used_ids, moves``.

    `way` is that of `keep_or_refit`.
    """
    return {
        "previous": None if previous is None else {"month": previous.label, "digest": previous.digest},
        "way": way.way,
        "why": way.reason,
        "fit": record_fit(candidates, month=label, as_of=as_of, parameters=parameters),
        "used_ids": sort_ids({*used_ids, *segment_ids}),
        "moves": [json.loads(month[_MOVED].to_json(orient="values")) for month in by_month(moves)],
    }


def from_tables(run, label: str) -> EarlierMonth:
    """Return a month as the one before, from the tables that its notebooks saved.

    Parameters
    ----------
    run : Run
        Of that month, without a month before its own.
    """
    candidates, features, way = run.load("candidates", "customer_features", "way")
    segmentation, assignments, segments = run.load("segmentation", "assignments", "segments")
    profile, words, positions = run.load("profile", "name_words", "map")
    day = last_day_counted(label)
    history = month_history(candidates, segmentation.segment_ids, way, tried_parameters(run.parameters), label, day)
    history = json.loads(json.dumps(history))
    digest = hashlib.sha256(json.dumps(sorted(run.digests.items())).encode()).hexdigest()
    return EarlierMonth(
        label, day, segmentation, assignments[["segment_id", "confidence"]], features.table, positions[["x", "y"]],
        segments, profile, words, None, history, digest,
    )  # fmt: skip


# The parameters that decide how candidates are tried and judged; the others come later.
TRIED = (
    "window_days", "horizon_days", "seed", "min_segments", "max_segments", "min_share", "min_customers", "max_noise",
    "bootstraps", "judge_value",
)  # fmt: skip


def tried_parameters(parameters) -> dict:
    """Return the parameters behind the candidates."""
    return {name: parameters.as_dict()[name] for name in TRIED}
