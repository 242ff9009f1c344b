"""What months of known shoppers and customers without a change show: moves and identities recovered, false alarms.

*Planted shoppers* (`shoppers.py`): four kinds, moves between them by a known matrix, six months of order lines; months
do not overlap (a window of 30 days), since windows that do blur every move over a year. The number of kinds is given
(k-means, four segments). One model is kept over all months and the moves it sees are held against the planted matrix;
beside it every month is fitted anew, and a segment has lasted when its id goes on meaning the same kind.

*No change*: customers keep what they are and vary as much again each month, so that two months correlate by a half;
2,500 of them with ten features, in 100 draws. Alarms of drift are counted, without a change and with one feature
shifted by half a standard deviation.

    python benchmarks/months.py [planted | drift]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from segkit.clustering.grid import Candidate
from shoppers import KINDS as SHOPPER_KINDS
from shoppers import MOVES, write_shop

from segkit.clustering.assign import assign_customers
from segkit.clustering.freeze import fit_segmentation
from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.data.periods import last_day_counted
from segkit.features.build import customer_features
from segkit.monitoring.drift import feature_drift
from segkit.monitoring.matching import match_segments
from segkit.preprocessing.prepare import fit_matrix

CUSTOMERS, FEATURES, DRAWS, SHIFT = 2_500, 10, 100, 0.5
FEATURE_KINDS = pd.DataFrame({"kind": "number"}, index=pd.Index([f"f{i}" for i in range(FEATURES)], name="feature"))
SHOPPERS, MONTHS, SEEDS, WINDOW = 1_000, 6, 5, 30
FOUR = Candidate("kmeans-4", "kmeans", {"k": len(SHOPPER_KINDS)})


def planted_months(seed: int) -> tuple[float, int, int]:
    """Return the mean absolute error of the recovered moves, and how many identities of how many lasted."""
    with tempfile.TemporaryDirectory() as folder:
        card, kinds = write_shop(Path(folder), SHOPPERS, MONTHS, seed)
        days = [last_day_counted(f"2025-{number:02}") for number in range(1, MONTHS + 1)]
        with read_orders(read_card(card), days[-1]) as orders:
            features = [customer_features(orders, day, WINDOW) for day in days[1:]]  # the first month warms up
    kinds = kinds[kinds.columns[1:]].T.to_numpy(), kinds.index
    fits = [_fitted(one, seed) for one in features]
    kept = [assign_customers(fits[0], one.table, sure=False)["segment_id"] for one in features]
    counts = np.zeros_like(MOVES)
    named = _kinds_of(kept[0], kinds, 0)
    for before, now in zip(kept, kept[1:], strict=False):
        both = before.index.intersection(now.index)
        moves = pd.crosstab(before[both].map(named), now[both].map(named))
        counts += moves.reindex(index=range(len(MOVES)), columns=range(len(MOVES)), fill_value=0).to_numpy()
    error = float(np.abs(counts / counts.sum(axis=1, keepdims=True) - MOVES).mean())
    return error, *_lasting(fits, features, kinds)


def _fitted(features, seed: int):
    matrix = fit_matrix(features.table, features.dictionary)
    return fit_segmentation(features.table, matrix, FOUR, seed=seed, recipe=features.recipe)


def _kinds_of(segments: pd.Series, kinds, month: int) -> dict[str, int]:
    """Return the planted kind that most customers of each segment are of."""
    planted = pd.Series(kinds[0][month], index=kinds[1]).reindex(segments.index)
    return pd.crosstab(segments, planted[planted >= 0]).idxmax(axis=1).to_dict()


def _lasting(fits, features, kinds) -> tuple[int, int]:
    lasted = whole = 0
    before = assign_customers(fits[0], features[0].table, sure=False)["segment_id"]
    used = tuple(sorted(before.unique()))
    for month in range(1, len(fits)):
        now = assign_customers(fits[month], features[month].table, sure=False)["segment_id"]
        matching = match_segments(before, now, used_ids=used)
        used, now_lasting = matching.used_ids, now.map(matching.ids)
        then, today = _kinds_of(before, kinds, month - 1), _kinds_of(now_lasting, kinds, month)
        lasted += sum(today.get(segment) == kind for segment, kind in then.items())
        whole += len(then)
        before = now_lasting
    return lasted, whole


def two_months(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the same customers in two months without a change."""
    random = np.random.default_rng(seed)
    who = random.normal(size=(CUSTOMERS, FEATURES))
    months = [(who + random.normal(size=who.shape)) / np.sqrt(2) for _ in range(2)]
    return tuple(pd.DataFrame(month, columns=FEATURE_KINDS.index) for month in months)


def report_planted() -> None:
    """Print error and identities of each seed, and of all."""
    start, errors, lasted, whole = time.process_time(), [], 0, 0
    for seed in range(SEEDS):
        error, kept, all_of = planted_months(seed)
        errors, lasted, whole = [*errors, error], lasted + kept, whole + all_of
        print(f"seed {seed}: mean absolute error of the moves {error:.3f}; {kept} of {all_of} identities lasted")
    print(
        f"{SEEDS} seeds: mean absolute error {np.mean(errors):.3f}, at most {max(errors):.3f}; "
        f"{lasted} of {whole} identities lasted ({lasted / whole:.1%}); {time.process_time() - start:.0f} CPU s"
    )


def report_drift() -> None:
    """Print false and true alarms, and the time of one comparison."""
    start, false, found, beside = time.process_time(), 0, 0, 0
    for seed in range(DRAWS):
        then, now = two_months(seed)
        false += int(feature_drift(then, now, FEATURE_KINDS, seed=seed)["alarm"].sum())
        drift = feature_drift(then, now.assign(f3=now["f3"] + SHIFT), FEATURE_KINDS, seed=seed)
        shifted = drift.set_index("feature")["alarm"]
        found, beside = found + int(shifted["f3"]), beside + int(shifted.drop("f3").sum())
    seconds = (time.process_time() - start) / (2 * DRAWS)
    print(f"no change: {false} alarms in {DRAWS * FEATURES} features")
    print(f"a shift of {SHIFT} sd: found in {found} of {DRAWS}, {beside} alarms beside it; {seconds:.2f} CPU s a month")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("planted", "drift"):
        {"planted": report_planted, "drift": report_drift}[name]()
