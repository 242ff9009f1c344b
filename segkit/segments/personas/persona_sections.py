"""The figures of a persona's card, by section and in words: picked from the profile, never computed anew."""

import pandas as pd

from segkit.runtime.labels import label_of
from segkit.segments.naming.descriptions import figure, group_of, known, own_figure, unsaid
from segkit.segments.profile import FEWEST_KNOWN, UNSEGMENTED, sort_ids

SECTIONS = ("apart", "typical", "when", "how", "who", "campaigns")
MOST_APART = 5
LEAST_APART = 0.2  # standard deviations: the least that is told where fewer than five figures are large
LEAST_KNOWN = 0.1  # of a segment: what is known of fewer is no picture of it
_DAYPARTS = tuple(f"{part}_order_share" for part in ("morning", "afternoon", "evening", "night"))
_WHEN = ("mean_gap_days", "weekend_order_share")
_HOW = (
    *("mean_order_value", "lines_per_order", "own_brand_share", "discount_share", "coupon_order_share"),
    *("store_count", "return_order_share"),
)
_CAMPAIGNS = ("campaigns_received_count", "campaign_response_share")
COLUMNS = [
    *("segment_id", "section", "feature", "level", "label", "text", "overall_text"),
    *("figure", "low", "high", "overall", "customers", "known_share", "differs"),
]


def segment_personas(
    profile: pd.DataFrame, typical: pd.DataFrame, sizes: pd.DataFrame, currency: str = "", window_days: int = 365
) -> pd.DataFrame:
    """Return the figures of each segment's card.

    Parameters
    ----------
    profile : DataFrame
        As `profile_segments` returns it.
    typical : DataFrame
        As `typical_customers` returns it.
    sizes : DataFrame
        ``segment_id, customers``.
    currency : str
    window_days : int
        Days of orders behind the features.

    Returns
    -------
    DataFrame
        ``segment_id, section, feature, level, label, text, overall_text`` (the figure, and that of all customers, as a
        reader would say them), ``figure, low, high, overall, customers`` (behind the figure, 10 or more; of a typical
        customer's figures: in their middle), ``known_share`` (of the segment), ``differs`` (large and certain).
        Sections: apart (the five figures that set it apart most, one per thing said, all certain; those that differ
        first), typical, when, how, who (the most common level of
        each attribute that is known of a tenth of the segment) and campaigns. What the data don't
        have is not there.

    Examples
    --------
    >>> from segkit.segments.personas.typical import typical_customers
    >>> from segkit.segments.profile import profile_segments, size_segments
    >>> shop = pd.DataFrame({"spend": [9.0] * 20 + [900.0] * 20}, index=[f"c{i:02}" for i in range(40)])
    >>> meaning = pd.DataFrame({"family": "value", "kind": "money", "unit": "USD"}, index=["spend"])
    >>> halves = pd.Series(["S1"] * 20 + ["S2"] * 20, index=shop.index)
    >>> profile = profile_segments(shop, meaning, halves)
    >>> sizes = size_segments(halves, shop["spend"])
    >>> cards = segment_personas(profile, typical_customers(shop, meaning, halves), sizes)
    >>> cards[["segment_id", "section", "label", "text", "overall_text", "differs"]]
      segment_id  section  label  text overall_text  differs
    0         S1    apart  spend  9.00          454     True
    1         S1  typical  spend     9                 False
    2         S2    apart  spend   900          454     True
    3         S2  typical  spend   900                 False
    """
    about = profile.drop_duplicates("feature").set_index("feature")
    counts = sizes.set_index("segment_id")["customers"]
    rows = []
    for segment_id in sort_ids(counts.index):
        if segment_id == UNSEGMENTED:
            continue
        own = profile[(profile["segment_id"] == segment_id) & (profile["customers"] >= FEWEST_KNOWN)]
        own = own[(own["level"] == "") | (own["centre"] * own["customers"] >= FEWEST_KNOWN)]
        for section, picked in _picked(own, counts[segment_id], currency, window_days):
            rows += [_row(segment_id, section, row, counts[segment_id], currency) for row in picked if own_figure(row)]
            if section == "apart":
                medoid = typical[typical["segment_id"] == segment_id]
                rows += [_typical(row, about.loc[row.feature, "kind"], currency) for row in medoid.itertuples()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _picked(own: pd.DataFrame, customers: int, currency: str, window_days: int):
    plain = own[own["level"] == ""]
    daypart = plain[plain["feature"].isin(_DAYPARTS)].nlargest(1, "centre")["feature"].tolist()
    channel = plain[plain["feature"].str.match(r"channel_.+_share$")].nlargest(1, "centre")["feature"].tolist()
    yield "apart", _apart(own, currency, window_days)
    yield "when", _of(plain, [*_WHEN, *daypart])
    country = _most_common(own[own["feature"] == "country"])
    yield "how", [*_of(plain, [*_HOW, *channel]), *country]
    who = own[own["family"] == "who"]
    yield "who", _most_common(who, LEAST_KNOWN * customers) + _of(plain[plain["family"] == "who"], plain["feature"])
    yield "campaigns", _of(plain, _CAMPAIGNS)


def _apart(own: pd.DataFrame, currency: str, window_days: int) -> list:
    """The rows that set the segment apart most, one for each thing that can be said; only certain ones."""
    certain = own[own["effect_low"] * own["effect_high"] > 0]
    certain = certain[certain["differs"] | (certain["effect_sd"].abs() >= LEAST_APART)]
    ranked = certain.assign(size=certain["effect_sd"].abs()).sort_values(
        ["differs", "size"], ascending=False, kind="stable"
    )
    said, picked = [], []
    for row in ranked.itertuples(index=False):
        group = group_of(row.feature, row.level)
        if group not in said and not unsaid(row, currency, window_days):
            said.append(group)
            picked.append(row)
    return picked[:MOST_APART]


def _of(plain: pd.DataFrame, features) -> list:
    there = plain[plain["centre"].notna() & ((plain["centre"] != 0) | (plain["overall"] != 0))]
    there = there.set_index("feature", drop=False)
    return [next(there.loc[[name]].itertuples(index=False)) for name in dict.fromkeys(features) if name in there.index]


def _most_common(levels: pd.DataFrame, fewest: float = 0) -> list:
    """Of each attribute that is known of enough customers, the level that most of them have."""
    levels = levels[(levels["level"] != "") & levels["centre"].notna() & (levels["customers"] >= fewest)]
    best = levels.sort_values("centre", ascending=False, kind="stable").drop_duplicates("feature")
    return list(best.sort_index().itertuples(index=False))


def _row(segment_id: str, section: str, row, customers: int, currency: str) -> dict:
    text = own_figure(row, currency)
    return {
        "segment_id": segment_id,
        "section": section,
        "feature": row.feature,
        "level": row.level,
        "label": label_of(row.feature),
        "text": f"{row.level} ({text})" if row.level else text,
        "overall_text": figure(row.overall, row.kind, currency) if known(row.overall) else "",
        "figure": row.centre,
        "low": row.low,
        "high": row.high,
        "overall": row.overall,
        "customers": row.customers,
        "known_share": row.customers / customers,
        "differs": row.differs,
    }


def _typical(row, kind: str, currency: str) -> dict:
    # rounded figures have no coins and no intervals
    text = figure(row.figure, kind, currency).replace(".00", "")
    missing = dict.fromkeys(("low", "high", "overall", "known_share"), float("nan"))
    return missing | {
        "segment_id": row.segment_id,
        "section": "typical",
        "feature": row.feature,
        "level": "",
        "label": label_of(row.feature),
        "text": text,
        "overall_text": "",
        "figure": row.figure,
        "customers": row.customers,
        "differs": False,
    }
