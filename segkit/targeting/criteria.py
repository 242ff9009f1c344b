"""The five questions of a target segment, each as figures; and where segments stand by the analyst's weights."""

import numpy as np
import pandas as pd

from segkit.targeting.kpis import FEWEST, wilson

LOW_CONFIDENCE = 0.5
REACHED = "with consent and an address"
ATTRACTION = {"weigh_revenue": "revenue", "weigh_retention": "retention", "weigh_response": "campaign_response"}
ABILITY = {"weigh_confidence": "mean confidence", "weigh_rule": "reached by its rule", "weigh_reach": REACHED}


def judge_targets(
    assignments: pd.DataFrame, kpis: pd.DataFrame, rules: pd.DataFrame, reachable: pd.Series | None = None
) -> pd.DataFrame:
    """Return whether each segment is measurable, accessible, substantial, differentiable and actionable, in figures.

    Parameters
    ----------
    assignments : DataFrame
        Index customer_id; ``segment_id, confidence``.
    kpis : DataFrame
        As from `segment_kpis`.
    rules : DataFrame
        ``segment_id, rule_recall``.
    reachable : Series, optional
        Index customer_id, whether the customer consents and has an address; none where the shop's data don't say.

    Returns
    -------
    DataFrame
        ``segment_id, criterion, measure, figure, low, high``: null where it is not known.

    References
    ----------
    Kotler's criteria as in Dolnicar, Gruen & Leisch (2018), *Market Segmentation Analysis*, section 4.2.

    Examples
    --------
    >>> ids = [f"c{i:02}" for i in range(20)]
    >>> placed = pd.DataFrame({"segment_id": ["S1"] * 10 + ["S2"] * 10, "confidence": 0.9}, index=ids)
    >>> kpis = pd.DataFrame({"segment_id": ["S1", "S2"], "kpi": "retention", "figure": 0.5, "low": 0.4, "high": 0.6})
    >>> rules = pd.DataFrame({"segment_id": ["S1", "S2"], "rule_recall": [0.8, 0.7]})
    >>> judged = judge_targets(placed, kpis.assign(unit="share", others=0.7, customers=10), rules)
    >>> judged.query("segment_id == 'S1' and criterion == 'measurable'")[["measure", "figure"]].round(2)
                  measure  figure
    0  share of customers     0.5
    1     mean confidence     0.9
    2      low confidence     0.0
    """
    rows = []
    recalls = rules.set_index("segment_id")["rule_recall"]
    for segment_id, own in assignments.sort_index().groupby("segment_id", sort=True):
        figures = kpis[kpis["segment_id"] == segment_id].set_index("kpi")
        known = own["confidence"].dropna()
        low_count = int((known < LOW_CONFIDENCE).sum())
        rates = figures[figures["unit"] == "share"]
        differ = rates[(rates["others"] < rates["low"]) | (rates["others"] > rates["high"])]
        reach = (np.nan,) * 3
        if reachable is not None and len(own) >= FEWEST:
            reach = wilson(int(reachable.reindex(own.index).fillna(False).sum()), len(own))
        rows += [
            (segment_id, "measurable", "share of customers", *wilson(len(own), len(assignments))),
            (segment_id, "measurable", "mean confidence", *_mean(known)),
            (segment_id, "measurable", "low confidence", *wilson(low_count, len(known))),
            (segment_id, "accessible", REACHED, *reach),
            (segment_id, "accessible", "reached by its rule", recalls.get(segment_id, np.nan), np.nan, np.nan),
            (segment_id, "substantial", "customers", len(own), np.nan, np.nan),
            (segment_id, "substantial", "revenue", *_of(figures, "revenue")),
            (segment_id, "differentiable", "rates unlike all others'", len(differ), np.nan, np.nan),
            (segment_id, "actionable", "campaign response above others'", *_above_others(figures, "campaign_response")),
        ]
    return pd.DataFrame(rows, columns=["segment_id", "criterion", "measure", "figure", "low", "high"])


def _mean(known: pd.Series) -> tuple[float, float, float]:
    if len(known) < FEWEST:
        return np.nan, np.nan, np.nan
    reach = 1.96 * known.std(ddof=1) / np.sqrt(len(known))
    return known.mean(), max(known.mean() - reach, 0.0), min(known.mean() + reach, 1.0)


def _of(figures: pd.DataFrame, kpi: str) -> tuple[float, float, float]:
    return tuple(figures.loc[kpi, ["figure", "low", "high"]]) if kpi in figures.index else (np.nan,) * 3


def _above_others(figures: pd.DataFrame, kpi: str) -> tuple[float, float, float]:
    if kpi not in figures.index:
        return np.nan, np.nan, np.nan
    return tuple(figures.loc[kpi, ["figure", "low", "high"]] - figures.loc[kpi, "others"])


def place_targets(judged: pd.DataFrame, kpis: pd.DataFrame, weights: dict[str, float]) -> pd.DataFrame:
    """Return where each segment stands: how attractive it is, and how well the firm can serve it.

    A figure counts as its share of the largest among the segments; what is not known of any segment is left out, and
    the weights of the rest count in full.

    Parameters
    ----------
    judged, kpis : DataFrame
        As from `judge_targets` and `segment_kpis`.
    weights : dict
        Those of `ATTRACTION` and `ABILITY`, 0 or more.

    Returns
    -------
    DataFrame
        ``segment_id, customers, attractiveness, attractiveness_low, attractiveness_high, ability, ability_low,
        ability_high``, 0 to 1; the ends use the ends of every figure's interval.
    """
    sizes = judged[judged["measure"] == "customers"].set_index("segment_id")["figure"].astype("int64")
    sizes = sizes[sizes.index != "S0"]
    table = pd.DataFrame({"customers": sizes})
    sources = {
        "attractiveness": (ATTRACTION, kpis.rename(columns={"kpi": "measure"})),
        "ability": (ABILITY, judged),
    }
    for name, (chosen, figures) in sources.items():
        total, used = pd.DataFrame(0.0, index=sizes.index, columns=["figure", "low", "high"]), 0.0
        for parameter, measure in chosen.items():
            own = figures[figures["measure"] == measure].set_index("segment_id").reindex(sizes.index)
            ends = own[["figure", "low", "high"]].astype("float64")
            ends = ends.assign(low=ends["low"].fillna(ends["figure"]), high=ends["high"].fillna(ends["figure"]))
            if ends["figure"].isna().any() or not ends["figure"].max() > 0:
                continue
            total += weights[parameter] * ends.clip(lower=0) / ends["figure"].max()
            used += weights[parameter]
        placed = total / used if used else total * np.nan
        table[[name, f"{name}_low", f"{name}_high"]] = placed.clip(upper=1).to_numpy()
    return table.rename_axis("segment_id").reset_index()
