"""Batches of features in, batches of segments out."""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from segkit.clustering.assign import assign_customers
from segkit.clustering.assignment_rules import Rule
from segkit.clustering.segmentation import Segmentation
from segkit.runtime.errors import InputError
from segkit.scoring.arrow.sums import WEIGHTS, Sums


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
    >>> import pandas as pd
    >>> from segkit.clustering.fit import Candidate
    >>> from segkit.clustering.freeze import freeze_candidate
    >>> from segkit.preprocessing.prepare import prepare
    >>> shop = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=pd.Index(list("abcde"), name="customer_id"))
    >>> segmentation = freeze_candidate(prepare(shop), Candidate("kmeans-2", "kmeans", {"k": 2}))
    >>> batch = pa.RecordBatch.from_pandas(shop.reset_index())
    >>> next(assign_batches(segmentation, [batch])).column("segment_id").to_pylist()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    """
    sums = Sums(segmentation) if isinstance(segmentation.rule, Rule) and segmentation.rule.kind in WEIGHTS else None
    for batch in batches:
        if missing := [name for name in (customer_id, *_features(segmentation)) if name not in batch.schema.names]:
            raise InputError(f"a batch lacks {', '.join(missing)}, which the segmentation needs: compute them first")
        rows = sums.assign(batch) if sums else None
        if rows is None:
            rows = _exactly(segmentation, batch, customer_id)
        yield pa.RecordBatch.from_arrays(
            [batch.column(customer_id), *rows],
            names=["customer_id", "segment_id", "segment", "nearest_segment_id", "reason"],
        )


def _features(segmentation: Segmentation) -> list[str]:
    return list(dict.fromkeys(column.feature for column in segmentation.matrix.fitted))


def _exactly(segmentation: Segmentation, batch: pa.RecordBatch, customer_id: str) -> list[pa.Array]:
    scores = assign_customers(segmentation, batch.to_pandas().set_index(customer_id), sure=False)
    names = ("segment_id", "segment", "nearest_segment_id", "reason")
    return [pa.array(scores[name], pa.string()).dictionary_encode() for name in names]
