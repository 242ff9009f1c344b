"""Put any customer into the segments of a frozen model, and say how sure that is."""

import numpy as np
import pandas as pd

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.fit import assign_labels
from segkit.clustering.segmentation import LEFT_OUT, UNSEGMENTED, Segmentation

LEAST_KNOWN = 0.5  # of the weight of what the model works on: below, neutral places would decide the segment
TOO_LITTLE = "too little history: less than half of what the model works on is known"
NOT_DENSE = "in no dense region: farther from every customer of a segment than those are from each other"
NOT_KNOWN = "a figure that the rule needs is missing"


def assign_customers(segmentation: Segmentation, features: pd.DataFrame, *, sure: bool = True) -> pd.DataFrame:
    """Return the segment of each customer by the frozen rule; nothing is fitted.

    A customer of whom less than half is known of what the model works on (by the weight of its columns; the rest would
    stand at neutral places) is in no segment: too little history. A customer with one order has no gaps between orders
    and no trend, but most else, and is assigned like any other.

    Parameters
    ----------
    segmentation : Segmentation
    features : DataFrame
        Index customer_id, natural units.
    sure : bool
        False spares the work of asking the resampled rules: ``confidence`` is null.

    Returns
    -------
    DataFrame
        Index customer_id; ``segment_id`` (S0 for customers left out), ``segment``, ``nearest_segment_id`` (the segment
        to use for a customer left out, else the same; null where there is none), ``confidence`` (share of the
        segmentation's resampled rules that say the same; null for too little history and where there are no such
        rules), ``reason`` (why a customer is in S0, else null).

    Raises
    ------
    InputError
        A feature is missing or of another kind than the segmentation was fitted on; the message names it.
    """
    rule, unknown = segmentation.rule, np.zeros(len(features), dtype=bool)
    if isinstance(rule, Rule):
        asked, why = segmentation.matrix.transform(features), NOT_DENSE
        unknown = known_share(segmentation, features) < LEAST_KNOWN
    else:
        asked, why = features, NOT_KNOWN
    labels, nearest = assign_labels(rule, asked)
    confidence = np.full(len(features), np.nan)
    if sure and segmentation.resampled:
        agreed = sum((assign_labels(one, asked)[0] == labels).astype("float64") for one in segmentation.resampled)
        confidence = np.where(unknown, np.nan, agreed / len(segmentation.resampled))
    labels, nearest = np.where(unknown, -1, labels), np.where(unknown, -1, nearest)
    ids, names = segmentation.segment_ids, segmentation.names
    return pd.DataFrame(
        {
            "segment_id": pd.array([*ids, LEFT_OUT], dtype="str").take(labels),
            "segment": pd.array([*(names[one] for one in ids), UNSEGMENTED], dtype="str").take(labels),
            "nearest_segment_id": pd.array([*ids, None], dtype="str").take(nearest),
            "confidence": confidence,
            "reason": pd.array(np.where(unknown, TOO_LITTLE, np.where(labels < 0, why, None)), dtype="str"),
        },
        index=features.index,
    )


def known_share(segmentation: Segmentation, features: pd.DataFrame) -> np.ndarray:
    """Return, per customer, how much is known of what the model works on: 0 to 1, by the weight of its columns."""
    total, known = 0.0, np.zeros(len(features))
    for column in segmentation.matrix.fitted:
        total += column.variance
        known += column.variance * features[column.feature].notna().to_numpy()
    return known / total if total else known + 1.0
