"""The sums that a rule compares, over the columns of a batch."""

from itertools import compress

import numpy as np
import pandas as pd
import pyarrow as pa

from segkit.clustering.assign import LEAST_KNOWN, TOO_LITTLE, assign_customers
from segkit.clustering.segmentation import LEFT_OUT, UNSEGMENTED, Segmentation
from segkit.preprocessing.transforms import level_places
from segkit.scoring.arrow.scaling import NONE_MISSING, numbers, scale

BLOCK = 16_384  # customers at a time, and
ROWS = 12  # of their pieces: what is in hand stays in the processor's cache
_ROUNDING = float(np.finfo("float32").eps)
_FARTHEST = 25.0  # where a soft-bounded column ends for any value below e^22 robust deviations


class Sums:
    """The sums that a rule compares, as weights in single precision on pieces of the scaled columns.

    Pieces are summed once for each direction in which the sums differ, the largest first: kinds of the same tier are
    told apart in other directions than tiers, and what rounds their large weights hardly moves them. A category is a
    switch per level instead of a piece.
    """

    def __init__(self, segmentation: Segmentation):
        self.segmentation, self.columns = segmentation, segmentation.matrix.fitted
        self.labels = segmentation.rule.arrays["labels"]
        pieces, weights, self.constant = WEIGHTS[segmentation.rule.kind](segmentation)
        total = sum(column.variance for column in self.columns)
        self.shares = [column.variance / total if total else 0.0 for column in self.columns]
        self.levels: dict[str, list[str]] = {}
        for column in self.columns:
            if column.kind == "category":
                self.levels.setdefault(column.feature, []).append(column.level)
        used = (weights != weights[:1]).any(axis=0) & [self.columns[place].kind != "category" for place, *_ in pieces]
        switched = [self._switch(feature, pieces, weights) for feature in self.levels]
        pieces, weights = list(compress(pieces, used)), np.concatenate([weights[:, used], *switched], axis=1)
        numeric = [place for place, column in enumerate(self.columns) if column.kind != "category"]
        ends = {place: [one[1:] for one in pieces if one[0] == place] for place in numeric}
        self.ends = {place: None if own == [(None, None)] else _ends(own) for place, own in ends.items()}
        sizes = [len(own) for own in ends.values()] + [len(levels) + 1 for levels in self.levels.values()]
        turn, longest, _ = np.linalg.svd(weights, full_matrices=False)
        self.turn = turn[:, longest > 1e-12 * longest.max(initial=0.0)]
        self.groups = _group([*numeric, *self.levels], sizes, (self.turn.T @ weights).astype("float32"))
        self.tolerance = self._bound_rounding(pieces, weights)

    def _switch(self, feature: str, pieces: list, weights: np.ndarray) -> np.ndarray:
        """Return what each level of a category adds to the sums; the last is a level that the fit hasn't seen."""
        levels = np.array([*self.levels[feature], None], dtype=object)
        added = np.zeros((len(weights), len(levels)))
        for weight, (place, low, high) in zip(weights.T, pieces, strict=True):
            column = self.columns[place]
            if column.feature == feature:
                z = column.place(np.where(levels == None, np.nan, levels == column.level).astype("float64"))  # noqa: E711
                added += np.outer(weight, z if low is None else np.clip(z, low, high))
        return added

    def _bound_rounding(self, pieces: list, weights: np.ndarray) -> np.ndarray:
        """Return how far rounding can move the difference of two sums, at most, for any two of them."""
        between, reach = np.abs(weights[:, None] - weights[None]), np.ones(weights.shape[1])
        moved = np.zeros((len(self.columns), len(weights), len(weights)))
        for row, (place, low, high) in enumerate(pieces):
            column = self.columns[place]
            ends = _FARTHEST if column.bounded else (1 + abs(column.centre)) / column.scale
            reach[row] = ends if low is None else min(ends, max(abs(low), abs(high)))
            # Each of about eight steps rounds its result, which before centring is as large as the centre (but for
            # numbers as they are, centred first); what moves a column moves one of its pieces, or two that meet by
            # parts of it.
            centre = 0.0 if column.transform == "as is" else abs(column.centre) / column.scale
            error = 8 * _ROUNDING * (centre + (4.0 if column.bounded else ends))
            moved[place] = np.maximum(moved[place], error * between[:, :, row])
        added = max(len(own.T) for _, own in self.groups) + len(self.groups)
        rounded = (added + 2) * _ROUNDING * np.abs(self.turn.T @ weights) @ reach
        rounded = np.abs(self.turn[:, None] - self.turn[None]) @ rounded
        # Of sums as near to each other as this, the rule itself takes the first.
        tied = 1e-9 * (np.abs(weights) @ reach + np.abs(self.constant)).max()
        bound = moved.sum(axis=0) + rounded + tied
        np.fill_diagonal(bound, -1.0)
        return bound

    @np.errstate(invalid="ignore")
    def assign(self, batch: pa.RecordBatch) -> list[pa.Array] | None:
        """Return segment_id, segment, nearest_segment_id and reason; None where a value needs the rule's own checks."""
        levels = {feature: self._levels_of(batch, feature) for feature in self.levels}
        absent = {feature: batch.column(feature).is_null().to_numpy(zero_copy_only=False) for feature in self.levels}
        try:
            given = [None if column.kind == "category" else numbers(batch, column.feature) for column in self.columns]
        except pa.ArrowException:  # texts that are no numbers
            return None
        count = len(batch)
        codes, unsure, unknown = np.empty(count, "int8"), np.empty(count, bool), np.zeros(count, bool)
        for start in range(0, count, BLOCK):
            part = slice(start, min(start + BLOCK, count))
            lacking = np.zeros(part.stop - start, "float32")
            for share, column in zip(self.shares, self.columns, strict=True):
                if column.kind == "category":  # a level that the fit hasn't seen is known all the same
                    lacking += np.float32(share) * absent[column.feature][part]
            turned = self._sum_pieces(part, given, levels, lacking)
            if turned is None:
                return None
            sums = self.turn @ turned.astype("float64")
            sums += self.constant[:, None]
            codes[part], unsure[part] = _best(sums, self.tolerance)
            unknown[part] = lacking > 1 - LEAST_KNOWN
            unsure[part] |= np.abs(lacking - (1 - LEAST_KNOWN)) < 1e-4
        return self._written(batch, self.labels[codes].astype("int8"), unknown, np.flatnonzero(unsure))

    def _sum_pieces(self, part: slice, given: list, levels: dict, lacking: np.ndarray) -> np.ndarray | None:
        """Return the sum of the pieces in each direction, and add to `lacking` the shares of what is missing."""
        size = len(lacking)
        z, heap = np.empty(size, "float32"), np.empty((max(len(own.T) for _, own in self.groups), size), "float32")
        turned = np.zeros((self.turn.shape[1], size), "float32")
        for sources, weights in self.groups:
            row = 0
            for source in sources:
                if source in self.levels:
                    for level in range(len(self.levels[source]) + 1):
                        np.copyto(heap[row + level], levels[source][part] == level)
                    row += level + 1
                    continue
                ends = self.ends[source]
                gaps = scale(self.columns[source], given[source][part], heap[row] if ends is None else z)
                if gaps is None:
                    return None
                if gaps is not NONE_MISSING:
                    lacking += np.float32(self.shares[source]) * gaps
                if ends is not None:
                    np.clip(z, *ends, out=heap[row : row + len(ends[0])])
                row += 1 if ends is None else len(ends[0])
            turned += weights @ heap[:row]
        return turned

    def _levels_of(self, batch: pa.RecordBatch, feature: str) -> np.ndarray:
        """Return the place of each customer's level among those of the fit, beyond the last for one it hasn't seen."""
        values, levels = batch.column(feature), self.levels[feature]
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        places = level_places(pd.Series([*encoded.dictionary.to_pylist(), None], name=feature), levels)
        places = np.where(places < 0, len(levels), places).astype("int16")
        return places[encoded.indices.fill_null(len(places) - 1).to_numpy(zero_copy_only=False)]

    def _written(self, batch, labels: np.ndarray, unknown: np.ndarray, unsure: np.ndarray) -> list[pa.Array]:
        ids = [*self.segmentation.segment_ids, LEFT_OUT]
        names = [*(self.segmentation.names[one] for one in ids[:-1]), UNSEGMENTED]
        labels[unknown] = len(ids) - 1
        if len(unsure):
            asked = assign_customers(self.segmentation, batch.take(pa.array(unsure)).to_pandas(), sure=False)
            labels[unsure] = asked["segment_id"].map({one: place for place, one in enumerate(ids)})
            unknown[unsure] = asked["reason"].notna()
        out = labels == len(ids) - 1
        return [
            pa.DictionaryArray.from_arrays(labels, pa.array(ids)),
            pa.DictionaryArray.from_arrays(labels, pa.array(names)),
            pa.DictionaryArray.from_arrays(pa.array(labels, mask=out), pa.array(ids)),
            pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(len(labels), "int8"), mask=~unknown), pa.array([TOO_LITTLE])
            ),
        ]


def _ends(pieces: list[tuple[float, float]]) -> np.ndarray:
    return np.array(pieces, "float32").reshape(-1, 2).T[:, :, None]


def _group(sources: list, sizes: list[int], weights: np.ndarray) -> list[tuple[list, np.ndarray]]:
    """Return the sources whose rows are multiplied together, with their weights: few enough for the cache."""
    groups, own, start, end = [], [], 0, 0
    for source, size in zip(sources, sizes, strict=True):
        if own and end + size - start > ROWS:
            groups.append((own, np.ascontiguousarray(weights[:, start:end])))
            own, start = [], end
        own.append(source)
        end += size
    return [*groups, (own, np.ascontiguousarray(weights[:, start:end]))]


def _best(sums: np.ndarray, tolerance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which row is the largest in each column, and whether another is within the tolerance of these two."""
    best, top, second = np.zeros(sums.shape[1], "int8"), sums[0].copy(), np.full(sums.shape[1], -np.inf)
    for place, own in enumerate(sums[1:], 1):
        np.maximum(second, np.minimum(own, top), out=second)
        np.copyto(best, np.int8(place), where=own > top)
        np.maximum(top, own, out=top)
    unsure, near = np.zeros(sums.shape[1], bool), np.flatnonzero(top - second <= tolerance.max())
    unsure[near] = (top[near] - sums[:, near] <= tolerance[:, best[near]]).any(axis=0)
    return best, unsure


def _centre_weights(segmentation: Segmentation):
    arrays, columns = segmentation.rule.arrays, segmentation.matrix.fitted
    around, constant = _around(arrays["centres"])
    weights = around * np.array([column.weight for column in columns])
    return (
        [(place, None, None) for place in range(len(columns))],
        weights,
        constant - around @ arrays["centres"].mean(0),
    )


def _prediction_weights(segmentation: Segmentation):
    arrays, columns = segmentation.rule.arrays, segmentation.matrix.fitted
    around, constant = _around(arrays["centres"])
    weights = around @ arrays["coefficients"].T  # sums are linear in what is predicted, and that in the pieces
    pieces, factors = [], []
    for place, (column, at) in enumerate(zip(columns, arrays["knots"].T, strict=True)):
        pieces += [
            (place, low / column.weight, high / column.weight) for low, high in zip(at[:-1], at[1:], strict=True)
        ]
        factors += [column.weight] * (len(at) - 1)
    lows = np.array([low for _, low, _ in pieces]) * factors
    return pieces, weights * factors, constant - around @ arrays["centres"].mean(0) - weights @ lows


def _around(centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    around = centres - centres.mean(axis=0)
    return around, -(around**2).sum(axis=1) / 2


WEIGHTS = {"nearest_centre": _centre_weights, "nearest_prediction": _prediction_weights}
