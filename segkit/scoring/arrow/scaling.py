"""Columns of a batch on the scale of the matrix, in single precision."""

import numpy as np
import pyarrow as pa

from segkit.preprocessing.matrix import MatrixColumn
from segkit.preprocessing.transforms import SOFT_BOUND

NONE_MISSING = np.empty(0, bool)
_TOO_FAR = 1e9
_OUTSIDE = 0.05  # of a batch's shares may lie outside of 0 to 1, as `segkit.preprocessing` has it


def numbers(batch: pa.RecordBatch, feature: str) -> np.ndarray:
    """Return a column of a batch, NaN where it is null."""
    values = batch.column(feature)
    values = values if pa.types.is_float64(values.type) else values.cast(pa.float64())
    return values.to_numpy(zero_copy_only=False)


def scale(column: MatrixColumn, values: np.ndarray, z: np.ndarray) -> np.ndarray | None:
    """Write the scaled, bounded column to `z`, 0 where it is missing; return where that is.

    `NONE_MISSING` if nowhere; None where a value needs the rule's own checks.
    """
    if column.transform == "log1p":
        z[:] = values
        if z.min() >= 0:
            np.log1p(z, out=z)
        else:
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
        return NONE_MISSING
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
