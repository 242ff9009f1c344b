"""Assign customers by the million from Arrow batches: the rows of `assign_customers`, at a fraction of its cost.

Where a rule compares scores that are sums over the columns of the matrix (nearest centre, nearest prediction), the
sums are made in single precision, block by block. What rounding can have moved is bounded beforehand; the few customers
whose two best scores are nearer to each other than that are assigned anew by the rule itself, in double precision.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from segkit.errors import InputError
from segkit.matrix.frozen import MatrixColumn
from segkit.matrix.transforms import SOFT_BOUND, indicator
from segkit.methods import Rule
from segkit.segmentation import LEAST_KNOWN, LEFT_OUT, TOO_LITTLE, UNSEGMENTED, Segmentation, assign_customers

BLOCK = 32_768  # customers at a time, so that what is in hand stays in the processor's cache
_ROUNDING = float(np.finfo("float32").eps)
_FARTHEST = 25.0  # where a soft-bounded column ends for any value below e^22 robust deviations
_TOO_FAR = 1e9
_OUTSIDE = 0.05  # of a batch's shares may lie outside of 0 to 1, as `segkit.matrix` has it


def assign_batches(
    segmentation: Segmentation, batches: Iterable[pa.RecordBatch], customer_id: str = "customer_id"
) -> Iterator[pa.RecordBatch]:
    """Yield, for each batch of features, the segment of each customer by the frozen rule.

    Parameters
    ----------
    segmentation : Segmentation
    batches : iterable of RecordBatch
        ``customer_id`` and the features of the segmentation in natural units, null where undefined.
    customer_id : str
        Name of the column that says who it is; passed through.

    Yields
    ------
    RecordBatch
        ``customer_id, segment_id, segment, nearest_segment_id, reason``: the rows of `assign_customers`, without
        ``confidence``; texts are dictionary-encoded.

    Raises
    ------
    InputError
        As `assign_customers`, of the customers of one batch.

    Examples
    --------
    >>> from segkit.matrix import fit_matrix
    >>> from segkit.methods import Candidate
    >>> from segkit.segmentation import fit_segmentation
    >>> shop = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=pd.Index(list("abcde"), name="customer_id"))
    >>> matrix = fit_matrix(shop, pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"]))
    >>> segmentation = fit_segmentation(shop, matrix, Candidate("kmeans-2", "kmeans", {"k": 2}), seed=0)
    >>> batch = pa.RecordBatch.from_pandas(shop.reset_index())
    >>> next(assign_batches(segmentation, [batch])).column("segment_id").to_pylist()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    """
    sums = _Sums(segmentation) if isinstance(segmentation.rule, Rule) and segmentation.rule.kind in _WEIGHTS else None
    for batch in batches:
        if missing := [name for name in (customer_id, *_features(segmentation)) if name not in batch.schema.names]:
            raise InputError(f"a batch lacks {', '.join(missing)}, which the segmentation needs: compute them first")
        rows = sums.assign(batch) if sums else None
        if rows is None:
            rows = _exactly(segmentation, batch)
        yield pa.RecordBatch.from_arrays(
            [batch.column(customer_id), *rows],
            names=["customer_id", "segment_id", "segment", "nearest_segment_id", "reason"],
        )


def _features(segmentation: Segmentation) -> list[str]:
    return list(dict.fromkeys(column.feature for column in segmentation.matrix.fitted))


def _exactly(segmentation: Segmentation, batch: pa.RecordBatch) -> list[pa.Array]:
    scores = assign_customers(segmentation, batch.to_pandas(), sure=False)
    names = ("segment_id", "segment", "nearest_segment_id", "reason")
    return [pa.array(scores[name], pa.string()).dictionary_encode() for name in names]


class _Sums:
    """The sums that a rule compares, as weights in single precision on pieces of the scaled columns."""

    def __init__(self, segmentation: Segmentation):
        self.segmentation, self.columns = segmentation, segmentation.matrix.fitted
        self.labels = segmentation.rule.arrays["labels"]
        pieces, weights, constant = _WEIGHTS[segmentation.rule.kind](segmentation)
        used = np.abs(weights).max(axis=0) > 0
        self.pieces = [piece for piece, one in zip(pieces, used, strict=True) if one]
        self.weights = np.ascontiguousarray(weights[:, used], dtype="float32")
        self.constant = constant.astype("float32")[:, None]
        self.tolerance = self._bound_rounding()
        total = sum(column.variance for column in self.columns)
        self.shares = [column.variance / total if total else 0.0 for column in self.columns]

    def _bound_rounding(self) -> float:
        """Return how far rounding can move the difference of two sums, at most."""
        largest, error, reach = np.abs(self.weights).max(axis=0), 0.0, float(np.abs(self.constant).max())
        for weight, (place, low, high) in zip(largest, self.pieces, strict=True):
            column = self.columns[place]
            ends = _FARTHEST if column.bounded else (1 + abs(column.centre)) / column.scale
            if low is not None:
                ends = min(ends, max(abs(low), abs(high)))
            # Each of about eight steps rounds its result, which before centring is as large as the centre.
            error += weight * 8 * _ROUNDING * (abs(column.centre) / column.scale + (4.0 if column.bounded else ends))
            reach += weight * ends
        return float(2 * (error + (len(self.pieces) + 2) * _ROUNDING * reach))

    def assign(self, batch: pa.RecordBatch) -> list[pa.Array] | None:
        """Return segment_id, segment, nearest_segment_id and reason; None where a value needs the rule's own checks."""
        given = [self._values(batch, column) for column in self.columns]
        absent = {
            column.feature: batch.column(column.feature).is_null().to_numpy(zero_copy_only=False)
            for column in self.columns
            if column.kind == "category"
        }
        count = len(batch)
        codes, unsure, unknown = np.empty(count, "int8"), np.empty(count, bool), np.zeros(count, bool)
        z = np.empty((len(self.columns), min(BLOCK, count)), "float32")
        heap = np.empty((len(self.pieces), z.shape[1]), "float32")
        for start in range(0, count, BLOCK):
            part = slice(start, min(start + BLOCK, count))
            size, lacking = part.stop - start, None
            for place, column in enumerate(self.columns):
                gaps = _scale(column, given[place][part], z[place, :size])
                if gaps is None:
                    return None
                if column.kind == "category":  # a level that the fit hasn't seen is known all the same
                    gaps = absent[column.feature][part]
                if gaps is not _NONE:
                    lacking = np.zeros(size, "float32") if lacking is None else lacking
                    lacking += np.float32(self.shares[place]) * gaps
            for row, (place, low, high) in enumerate(self.pieces):
                if low is None:
                    heap[row, :size] = z[place, :size]
                else:
                    np.clip(z[place, :size], low, high, out=heap[row, :size])
            sums = self.weights @ heap[:, :size]
            sums += self.constant
            codes[part], margin = _best_two(sums)
            unsure[part] = margin <= self.tolerance
            if lacking is not None:
                unknown[part] = lacking > 1 - LEAST_KNOWN
                unsure[part] |= np.abs(lacking - (1 - LEAST_KNOWN)) < 1e-4
        return self._written(batch, self.labels[codes].astype("int8"), unknown, np.flatnonzero(unsure))

    def _values(self, batch: pa.RecordBatch, column: MatrixColumn) -> np.ndarray:
        values = batch.column(column.feature)
        if column.kind != "category":
            values = values if pa.types.is_float64(values.type) else values.cast(pa.float64())
            return values.to_numpy(zero_copy_only=False)
        levels = [other.level for other in self.columns if other.feature == column.feature]
        encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
        texts = pd.Series([*encoded.dictionary.to_pylist(), None], name=column.feature)
        codes = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
        return indicator(texts, column.level, levels).astype("float64")[codes]

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


_NONE = np.empty(0, bool)


def _scale(column: MatrixColumn, values: np.ndarray, z: np.ndarray) -> np.ndarray | None:
    """Write the scaled, bounded column to `z`; return which are missing, `_NONE` if none, None if it can't be said."""
    with np.errstate(invalid="ignore"):
        if column.transform == "log1p":
            z[:] = values
            np.copysign(np.log1p(np.abs(z)), z, out=z)
            z -= np.float32(column.centre)
            z *= np.float32(1 / column.scale)
        elif column.transform in ("arcsine root", "square root"):
            if not _mostly_shares(values):
                return None
            _turn(column, values, z)
        else:  # as it is: centred before digits are dropped
            if column.kind == "binary" and not ((values == 0) | (values == 1) | np.isnan(values)).all():
                return None
            np.multiply(values - column.centre, 1 / column.scale, out=z, casting="same_kind")
        if column.bounded:
            far = np.flatnonzero(np.abs(z) > SOFT_BOUND)
            if len(far):
                beyond = np.abs(z[far])
                if beyond.max() > _TOO_FAR:
                    return None
                z[far] = np.copysign(SOFT_BOUND + np.log1p(beyond - SOFT_BOUND), z[far])
        gaps = np.isnan(z)
    if not gaps.any():
        return _NONE
    z[gaps] = 0
    return gaps


def _mostly_shares(values: np.ndarray) -> bool:
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    return not (low < 0 or high > 1) or ((values < 0) | (values > 1)).mean() <= _OUTSIDE


def _turn(column: MatrixColumn, values: np.ndarray, z: np.ndarray) -> None:
    if column.transform == "square root":
        np.copyto(z, values, casting="same_kind")
        np.sqrt(np.clip(z, 0, 1, out=z), out=z)
    else:
        # Near 1 the angle is as steep as near 0: measured from the nearer end, in double precision, it loses nothing.
        np.copyto(z, np.minimum(values, 1 - values), casting="same_kind")
        np.arcsin(np.sqrt(np.maximum(z, 0, out=z), out=z), out=z)
        np.subtract(np.float32(np.pi / 2), z, out=z, where=values > 0.5)
    z -= np.float32(column.centre)
    z *= np.float32(1 / column.scale)


def _best_two(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which row is the largest in each column, and by how much."""
    best, top = np.zeros(sums.shape[1], "int8"), sums[0].copy()
    second = np.full_like(top, -np.inf)
    for place in range(1, len(sums)):
        own = sums[place]
        np.copyto(best, np.int8(place), where=own > top)
        np.maximum(second, np.minimum(top, own), out=second)
        np.maximum(top, own, out=top)
    return best, top - second


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


_WEIGHTS = {"nearest_centre": _centre_weights, "nearest_prediction": _prediction_weights}
