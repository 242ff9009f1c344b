"""What each segment looks like beside all customers, in natural units and with intervals.

The profile is one long table: a row per segment and feature (per level, for a category). Two scales
stand side by side. ``centre`` is what a person understands, such as a median of 118 orders; ``effect`` is
what can be compared between features. A difference counts only when it is both large and certain
(:data:`LARGE_EFFECT`, :data:`LARGE_SHARE`); segments always differ a little, and in the features they were
made from they differ by construction.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from segkit.runtime.errors import InputError
from segkit.runtime.sensitive import may_be_named

UNSEGMENTED = "S0"
LARGE_EFFECT = 0.5  # standard deviations of all customers
LARGE_SHARE = 0.1  # ten percentage points
CONFIDENCE = 0.95
FEWEST_KNOWN = 10  # below this many customers nothing is said of a segment's feature
KNOWN_SHARE = 0.5  # of a segment's customers; what few of them have, such as days between orders, is no trait of it
_MAY_BE_UNKNOWN = ("who", "given")  # families whose gaps mean that nobody asked
RAREST_LEVEL = 0.01  # a level of a category held by fewer of the known customers is pooled
POOLED_LEVEL = "other"

_LOGGED = ("money", "count", "days")
BOUNDED = ("share", "binary", "category")
_IDENTITY = ["segment_id", "feature", "level", "family", "kind", "unit"]
_FIGURES = ["customers", "centre", "low", "high", "overall"]
_EFFECTS = ["effect", "effect_low", "effect_high", "effect_sd", "differs", "used"]


def profile_segments(features, dictionary, segments, used_features=(), crossed=None, never_named=()):
    """Every feature of every segment against all customers, with intervals.

    Parameters
    ----------
    features : DataFrame
        One row per customer, index ``customer_id``, features in natural units, missing where undefined.
    dictionary : DataFrame
        Index ``feature``, columns ``family``, ``kind`` and ``unit``.
    segments : Series
        Index ``customer_id``, the ``segment_id`` of every customer of `features`, in any order.
    used_features : collection of str
        Features that the segments were made from: what differs there differs by construction.
    crossed : Series, optional
        Index `customer_id`, the ``segment_id`` of each customer by a fit that they had no part in (see
        `cross_labels`): the effects are those of these segments. Otherwise those of `segments`, which
        look more different than they are, since the customers made them. Centres always describe `segments`.
    never_named : tuple of str
        Words of the card: categories that hold one are left out, as are those of health, sex life and the like
        (`may_be_named`), because pages and names are made of the profile.

    Returns
    -------
    DataFrame
        ``segment_id, feature, level, family, kind, unit``; ``customers`` whose value is known; ``centre`` (the
        median, or the mean of shares and yes/no features) with its 95 % interval ``low, high``, missing where it is
        known of fewer than ten customers, or of fewer than half of the segment (attributes aside); ``overall``,
        the same figure of all customers; ``effect`` with a simultaneous 95 % interval ``effect_low,
        effect_high``, in share points for shares, yes/no features and levels, otherwise in standard deviations
        of all customers (money, counts and days after log1p); ``effect_sd``, the effect in standard deviations
        whatever the kind; ``differs``; ``used``.

    Raises
    ------
    InputError
        When a customer has no segment or a feature is not in the dictionary; the message names them.

    Notes
    -----
    An interval of the median lies between two order statistics (Conover, *Practical Nonparametric
    Statistics*, 3.2). An effect compares a segment with all customers, itself included, so for a segment that
    holds the share p of the customers the variance is (1 - p)^2 (v_in / n_in + v_out / n_out). Effects are
    simultaneous over all rows of the table by Bonferroni.

    Examples
    --------
    >>> shop = pd.DataFrame({"spend": [9.0] * 20 + [900.0] * 20}, index=[f"c{i:02}" for i in range(40)])
    >>> meaning = pd.DataFrame({"family": "value", "kind": "money", "unit": "USD"}, index=["spend"])
    >>> halves = pd.Series(["S1"] * 20 + ["S2"] * 20, index=shop.index)
    >>> profile_segments(shop, meaning, halves)[["segment_id", "centre", "overall", "differs"]]
      segment_id  centre  overall  differs
    0         S1     9.0    454.5     True
    1         S2   900.0    454.5     True
    >>> profile_segments(shop, meaning, halves.head(39))
    Traceback (most recent call last):
    segkit.InputError: 1 of 40 customers have no segment, such as c39; ...
    """
    segments = _aligned(features, dictionary, segments)
    segment_ids = sort_ids(segments.unique())
    codes = pd.Categorical(segments, categories=segment_ids).codes
    judged = segments if crossed is None else _aligned(features, dictionary, crossed)
    judged_codes = pd.Index(segment_ids).get_indexer(judged)
    half = np.ceil(KNOWN_SHARE * np.bincount(codes, minlength=len(segment_ids)))
    parts = []
    for feature in features.columns:
        if feature.startswith("category_") and not may_be_named(feature, never_named):
            continue
        kind, family, unit = dictionary.loc[feature, ["kind", "family", "unit"]]
        for level, values in _readings(features[feature], kind):
            part = _centres(values, codes, len(segment_ids), kind in BOUNDED)
            part |= _effects(scaled(values, kind), judged_codes, len(segment_ids), kind in BOUNDED)
            if family not in _MAY_BE_UNKNOWN:
                few = np.array(part["customers"]) < half
                part |= {name: np.where(few, np.nan, part[name]) for name in ("centre", "low", "high", "effect")}
            part |= {"segment_id": segment_ids, "feature": feature, "level": level}
            part |= {"family": family, "kind": kind, "unit": unit}
            parts.append(pd.DataFrame(part))
    profile = _judged(pd.concat(parts, ignore_index=True))
    profile["used"] = profile["feature"].isin(list(used_features))
    profile["rank"] = profile["segment_id"].map({name: rank for rank, name in enumerate(segment_ids)})
    return profile.sort_values("rank", kind="stable", ignore_index=True)[_IDENTITY + _FIGURES + _EFFECTS]


def used_features(segmentation, transformer) -> set[str]:
    """Return the features that a segmentation was made from, and those that repeat one of them.

    Parameters
    ----------
    segmentation : Segmentation
    transformer : Matrix
        Of the candidates: what it dropped says which features repeat another.
    """
    dropped = transformer.dropped
    repeats = dropped.loc[dropped["why"].str.startswith("repeats "), "feature"]  # made of as much as the others
    return {*segmentation.matrix.columns["feature"], *repeats}


def crossed_ids(crossed, fitted, segmentation, assigned):
    """Return the segment of each customer by a fit they had no part in, under lasting ids; None where there is none.

    Parameters
    ----------
    crossed : DataFrame or None
        Index customer_id, ``segment_id`` under the ids of `fitted`; of the customers who were compared.
    fitted, segmentation : Segmentation
        Before and after its segments were numbered.
    assigned : Series
        Index customer_id, the segment_id; counts for whoever was not compared, since they made nothing.
    """
    if crossed is None:
        return None
    lasting = dict(zip(fitted.segment_ids, segmentation.segment_ids, strict=True)) | {UNSEGMENTED: UNSEGMENTED}
    return crossed["segment_id"].map(lasting).reindex(assigned.index).fillna(assigned)


def size_segments(segments, revenue):
    """Customers and revenue of each segment, with their shares of the whole.

    Parameters
    ----------
    segments : Series
        Index ``customer_id``, the ``segment_id``.
    revenue : Series
        Index ``customer_id``, money per customer, net of returns within the window.

    Returns
    -------
    DataFrame
        ``segment_id, customers, customer_share, revenue, revenue_share``; the shares sum to one, or are
        missing where all revenue together is not above zero.

    Examples
    --------
    >>> ids = ["a", "b", "c"]
    >>> size_segments(pd.Series(["S1", "S1", "S2"], index=ids), pd.Series([1.0, 2.0, 9.0], index=ids))
      segment_id  customers  customer_share  revenue  revenue_share
    0         S1          2        0.666667      3.0           0.25
    1         S2          1        0.333333      9.0           0.75
    """
    # sorted before summing: sums of floats depend on the order of the rows
    ordered = pd.DataFrame({"segment_id": segments, "revenue": revenue.reindex(segments.index).astype(float)})
    groups = ordered.sort_values("revenue").groupby("segment_id")["revenue"]
    sizes = groups.agg(customers="size", revenue="sum").reindex(sort_ids(segments.unique()))
    sizes["revenue"] = sizes["revenue"].where(groups.count() > 0)  # unknown is not zero
    total = sizes["revenue"].sum()
    sizes["customer_share"] = sizes["customers"] / len(segments)
    sizes["revenue_share"] = sizes["revenue"] / total if total > 0 else np.nan
    columns = ["segment_id", "customers", "customer_share", "revenue", "revenue_share"]
    return sizes.rename_axis("segment_id").reset_index()[columns]


def sort_ids(segment_ids):
    """Segment ids in the order people count: S0, S1, S2, S10.

    Examples
    --------
    >>> sort_ids(["S10", "S2", "S0"])
    ['S0', 'S2', 'S10']
    """
    return sorted(map(str, segment_ids), key=lambda name: (len(name), name))


def _aligned(features, dictionary, segments):
    unknown = features.columns.difference(dictionary.index)
    if len(unknown):
        raise InputError(f"features not in the dictionary: {', '.join(unknown[:3])}; add a row for each")
    aligned = segments.reindex(features.index)
    missing = aligned.index[aligned.isna()]
    if len(missing):
        raise InputError(
            f"{len(missing):,} of {len(aligned):,} customers have no segment, such as "
            f"{', '.join(map(str, missing[:3]))}; give those that a method leaves out {UNSEGMENTED}"
        )
    return aligned.astype(str)


def _readings(column, kind):
    """The numbers behind a feature: itself, or one yes/no column per level of a category."""
    if kind != "category":
        yield "", pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
        return
    known = column.notna().to_numpy()
    level_of = column.astype("string")
    counts = level_of.value_counts()
    common = sorted(counts.index[counts >= RAREST_LEVEL * max(known.sum(), 1)])
    pooled = level_of.where(level_of.isin(common), POOLED_LEVEL)
    for level in common + ([POOLED_LEVEL] if len(counts) > len(common) else []):
        yield str(level), np.where(known, (pooled == level).to_numpy(dtype=bool, na_value=False), np.nan)


def scaled(values, kind):
    """Figures of one feature on the scale on which they are compared: money, counts and days after log1p."""
    # money can be below zero (returns): the log is taken of the size and the sign kept
    return np.sign(values) * np.log1p(np.abs(values)) if kind in _LOGGED else values


def _sorted_groups(values, codes, n_segments):
    """Known values of each segment, ascending: sums and medians then do not depend on the order of rows."""
    known = ~np.isnan(values)
    values, codes = values[known], codes[known]
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(1, n_segments))
    return [np.sort(group) for group in np.split(values[order], edges)]


def _centres(values, codes, n_segments, bounded):
    groups = _sorted_groups(values, codes, n_segments)
    everyone = np.sort(np.concatenate(groups))
    rows = [_mean_interval(group, everyone) if bounded else _median_interval(group) for group in groups]
    centre, low, high = np.array(rows).T
    overall = np.nan if not len(everyone) else everyone.mean() if bounded else np.median(everyone)
    customers = [len(group) for group in groups]
    return {"customers": customers, "centre": centre, "low": low, "high": high, "overall": overall}


def _median_interval(group):
    n = len(group)
    if n < FEWEST_KNOWN:
        return np.nan, np.nan, np.nan
    below = max(int((n - ndtri((1 + CONFIDENCE) / 2) * np.sqrt(n)) / 2) - 1, 0)
    return np.median(group), group[below], group[n - 1 - below]


def _mean_interval(group, everyone):
    n = len(group)
    if n < FEWEST_KNOWN:
        return np.nan, np.nan, np.nan
    mean = group.mean()
    reach = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * np.sqrt(_variance(group, everyone.var()) / n)
    return mean, max(mean - reach, 0.0), min(mean + reach, 1.0)


def _variance(group, of_all):
    # one customer's worth of the variance of all: a segment whose members are all alike (nobody redeemed
    # a coupon) would otherwise claim an interval of no width
    return (len(group) * group.var() + of_all) / (len(group) + 1)


def _effects(values, codes, n_segments, bounded):
    # who is in none of the segments counts among all customers
    groups = _sorted_groups(values, np.where(codes < 0, n_segments, codes), n_segments + 1)
    everyone = np.sort(np.concatenate(groups))
    n, total = len(everyone), everyone.sum()
    rows = np.full((n_segments, 3), np.nan)
    spread = everyone.std() if n else 0.0
    for row, group in zip(rows, groups[:-1], strict=True):
        if len(group) < FEWEST_KNOWN or spread == 0:
            continue
        share, rest = len(group) / n, n - len(group)
        outside = np.sum((everyone - total / n) ** 2) - np.sum((group - total / n) ** 2)
        mean_outside = (total - group.sum()) / max(rest, 1)
        variance_outside = max(outside / max(rest, 1) - (mean_outside - total / n) ** 2, 0.0)
        error = (1 - share) * np.sqrt(_variance(group, spread**2) / len(group) + variance_outside / max(rest, 1))
        row[:] = group.mean() - total / n, error, len(group) - 1
    unit = 1.0 if bounded or spread == 0 else spread
    effect, error, freedom = rows.T
    return {"effect": effect / unit, "error": error / unit, "freedom": freedom, "spread": spread / unit}


def _judged(profile):
    """Simultaneous intervals over all rows, and what differs: large and certain."""
    comparisons = max(int(profile["effect"].notna().sum()), 1)
    reach = stdtrit(profile["freedom"], 1 - (1 - CONFIDENCE) / (2 * comparisons)) * profile["error"]
    profile["effect_low"], profile["effect_high"] = profile["effect"] - reach, profile["effect"] + reach
    profile["effect_sd"] = profile["effect"] / profile["spread"].where(profile["spread"] > 0)
    large = profile["effect_sd"].abs() >= LARGE_EFFECT
    large |= profile["kind"].isin(BOUNDED) & (profile["effect"].abs() >= LARGE_SHARE)
    profile["differs"] = large & (profile["effect_low"] * profile["effect_high"] > 0)
    return profile
