"""Every table a run leaves behind: its columns, their types, units and meaning."""

from segkit.runtime.tables.types import Column, Table, boolean, integer, money, number, share, text


def _forward(buy: str) -> dict[str, Column]:
    """The columns of what segments tell of the future, with the bounds of their intervals."""
    told = {
        "value": f"skill about how much customers {buy}, as a share of the ceiling",
        "behaviour": f"skill about what and how they {buy}, as a share of the ceiling",
        "share": "weighted mean of the two",
    }
    ends = {"": "", "_low": "; lower end of the 95 % interval", "_high": "; upper end"}
    return {f"forward_{group}{end}": number(f"{told[group]}{ends[end]}") for group in told for end in ends}


_SEGMENT_ID = text("the id that stays with a segment; S0 is everybody a method leaves out")
_SEGMENT = text("the segment's name, unique within a run")
_CUSTOMER_ID = text("the customer, as in the orders")
_CANDIDATE_ID = text("family and parameters, such as kmeans-5")

TABLES: dict[str, Table] = {
    "ledger": Table(
        "Where every row that was read went: rows and amount sum to the input.",
        {
            "reason": text(
                "sale, return, an exclusion of the card, no_customer, zero_amount (of amount or quantity), or a breach "
                "of the contract"
            ),
            "rows": integer("order lines (for a ready table: rows)", "lines"),
            "orders": integer("distinct orders within the reason", "orders"),
            "customers": integer("distinct customers within the reason", "customers"),
            "amount": money("sum of the lines' amounts"),
        },
        sort=(),  # kept in the order in which the reasons are tested
    ),
    "quarantine": Table(
        "The rows that broke the contract, as they came, with the reason.",
        {"reason": text("the first rule of the contract that the row breaks")},
        sort=(),
        open=True,
    ),
    "features": Table(
        "One row per customer as of the day of the run, in natural units.",
        {"customer_id": _CUSTOMER_ID},
        sort=("customer_id",),
        open=True,
    ),
    "feature_dictionary": Table(
        "What each feature means; those that this dataset cannot give are listed with what they lack.",
        {
            "feature": text("name, as in features and segments"),
            "family": text("value, lifecycle, rhythm, basket, taste, price, returns, channel, trend, response, who"),
            "kind": text("money, count, share, number, category, binary, days"),
            "unit": text("unit of the figures"),
            "whole": text("the composition that a share belongs to; empty for others"),
            "transform": text("what the matrix does to it"),
            "definition": text("one sentence"),
            "needs": text("columns of the canonical tables it is made of"),
            "present": boolean("whether this dataset has it"),
            "missing": text("which columns it lacks"),
        },
        sort=(),
    ),
    "candidates": Table(
        "Every segmentation that was tried, judged the same way. A criterion that does not apply is null.",
        {
            "candidate_id": _CANDIDATE_ID,
            "family": text("rfm, tiers, kmeans, hierarchical, dbscan, hdbscan, gmm, predictive"),
            "params": text("parameters of the fit, as JSON"),
            "customers": integer("customers of the study", "customers"),
            "sample_size": integer("of these, fitted and judged; fewer where they are too many", "customers"),
            "segments": integer("segments, without the customers left out", "segments"),
            "noise_share": share("customers left out"),
            "smallest_share": share("customers in the smallest segment"),
            "within_ss": number("sum of squared distances to the segment's mean", "matrix units squared"),
            "silhouette": number("mean silhouette width (Rousseeuw 1987)", "-1 to 1"),
            "calinski_harabasz": number("between over within variance (Calinski & Harabasz 1974)"),
            "davies_bouldin": number("mean likeness to the most alike segment, lower is better (1979)"),
            "dbcv": number("density-based validity (Moulavi et al. 2014), density families only", "-1 to 1"),
            "bic": number("Bayesian information criterion, mixtures only, lower is better"),
            "icl": number(
                "BIC less twice the summed logarithms of the largest posteriors (Biernacki et al. 2000), mixtures "
                "only, lower is better"
            ),
            "gap": number("gap statistic (Tibshirani et al. 2001), k-means only", "log units"),
            "prediction_strength": number("Tibshirani & Walther 2005, mean of 20 halvings, k-means only", "0 to 1"),
            "stability_ari": number("mean adjusted Rand index between resamples", "-1 to 1"),
            "stability_ari_low": number("that of the lowest twentieth of the pairs of resamples", "-1 to 1"),
            "stability_ari_high": number("that of the highest twentieth", "-1 to 1"),
            "stability_ari_1000": number(
                "mean adjusted Rand index between resamples of 1,000, to compare shops of any size (hierarchical, "
                "hdbscan, dbscan: only those well above 1,000, since theirs are drawn without replacement)",
                "-1 to 1",
            ),
            "stability_ari_1000_low": number("that of the lowest twentieth of the pairs of resamples", "-1 to 1"),
            "stability_ari_1000_high": number("that of the highest twentieth", "-1 to 1"),
            "stability_jaccard_min": number("mean Jaccard of the least stable segment over resamples", "0 to 1"),
            "stability_jaccard_min_low": number("that of the lowest twentieth of the resamples", "0 to 1"),
            "stability_jaccard_min_high": number("that of the highest twentieth", "0 to 1"),
            "separated_share": share("pairs of segments that the saddle test separates"),
            "structure": text("natural, reproducible or constructive"),
            "copula_ari": number(
                "stability_ari of samples with these customers' correlations and no other structure, reproducible ones "
                "only: the highest of 39, or the first as high as stability_ari, then due to correlation alone",
                "-1 to 1",
            ),
            **_forward("will buy"),
            "recipe_agreement": number(
                "adjusted Rand index between these segments and those of the same recipe one horizon back, which were "
                "judged; null where a kept model was judged itself",
                "-1 to 1",
            ),
            "recipe_agreement_low": number("lower end of its 95 % interval", "-1 to 1"),
            "recipe_agreement_high": number("upper end", "-1 to 1"),
            "feasible": boolean("whether its sizes and its noise are within the limits"),
            "reason": text(
                "why it is not feasible (limits: min_segments, max_segments, min_share, min_customers, max_noise "
                "in run.json) or why it lost; for the chosen one why it won"
            ),
            "chosen": boolean("exactly one"),
        },
        sort=(),
    ),
    "outcomes": Table(
        "What each candidate says about what customers do next, by outcome; judged one horizon back.",
        {
            "candidate_id": _CANDIDATE_ID,
            "outcome": text("what customers did in the days after"),
            "group": text("value (how much) or behaviour (what and how)"),
            "skill": number("deviance explained by the candidate's segments; below 0 where they mislead"),
            "low": number("lower end of the 95 % interval of skill"),
            "high": number("upper end of the 95 % interval of skill"),
            "ceiling": number("deviance explained by the best of several models of all features"),
        },
        sort=(),
    ),
    "origins": Table(
        "What the chosen candidate and the rules told at every origin that the data allow, of all customers then; at "
        "the latest origin, of the half that had no part in the choice.",
        {
            "origin": text("day up to which features were known"),
            "until": text("last day judged by"),
            "customers": integer("customers that the figures are of", "customers"),
            "candidate_id": text("a candidate, or rfm-scores-k: k-means on the three RFM scores"),
            **_forward("buy"),
        },
        sort=(),
    ),
    "unseen": Table(
        "What the proposed predictive segments say about each outcome when they are made without it.",
        {
            "candidate_id": _CANDIDATE_ID,
            "outcome": text("what customers did in the days after"),
            "group": text("value (how much) or behaviour (what and how)"),
            "skill": number("deviance explained by the segments as they are, of all customers"),
            "skill_low": number("lower end of its 95 % interval"),
            "skill_high": number("upper end"),
            "unseen": number("deviance explained by segments made without this outcome"),
            "unseen_low": number("lower end of its 95 % interval"),
            "unseen_high": number("upper end"),
            "ceiling": number("deviance explained by the best of several models of all features"),
        },
        sort=(),
    ),
    "stability": Table(
        "How far each segment comes back, of every candidate within the limits on sizes and noise.",
        {
            "candidate_id": _CANDIDATE_ID,
            "segment": text("segment id; of candidates that were not chosen, S1 is the largest"),
            "jaccard": share("mean Jaccard index with the likest segment of each resample (Hennig 2007)"),
            "dissolved": share("resamples in which it is below 0.5"),
            "resamples": integer("fewer than asked for where these settle that the candidate is not feasible"),
            "sample_size": integer("customers in each resample", "customers"),
        },
        sort=(),
    ),
    "pairs": Table(
        "Whether a valley lies between two segments (saddle test on customers that did not make them).",
        {
            "candidate_id": _CANDIDATE_ID,
            "segment_a": text("segment id, as in stability"),
            "segment_b": text("segment id, as in stability"),
            "ratio": number("customers at the highest pass over those at the lower mode; null without a second mode"),
            "low": number("lower end of the 95 % interval of ratio"),
            "high": number("upper end of the 95 % interval of ratio"),
            "p": number("p value of ratio below 0.75, Holm over the pairs; null where a segment was not found again"),
            "separated": text("yes; no, where a ratio of 0.5 would have been found with power 0.8; else undetermined"),
            "note": text("why there is no ratio, or why a valley does not count; else empty"),
            "sample_size": integer("customers in the test, one half to learn from and one to count", "customers"),
        },
        sort=(),
    ),
    "assignments": Table(
        "Every customer's segment.",
        {
            "customer_id": _CUSTOMER_ID,
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "confidence": share("of up to 50 matched resample fits, those that give the customer the same segment"),
            "rfm_segment": text("the customer's cell of the RFM map, for comparison"),
            "nearest_segment_id": text("the segment to use for a customer left out; else the same segment"),
            "reason": text("why a customer is in S0; null for the others"),
        },
        sort=("customer_id",),
    ),
    "map": Table(
        "Where customers lie on the map of the report: near those who are alike; directions and sizes mean nothing.",
        {"customer_id": _CUSTOMER_ID, "x": number("across"), "y": number("along")},
        sort=("customer_id",),
    ),
    "migrations": Table(
        "How many customers went from which segment to which since the month before.",
        {
            "from_segment_id": text("segment in the month before; joined: in this month only"),
            "to_segment_id": text("segment in this month; left: in the month before only"),
            "customers": integer("customers", "customers"),
            "share": share("of the customers of the from-segment, or of all who joined"),
        },
        sort=(),
    ),
    "migrated_revenue": Table(
        "The revenue of the customers behind each move.",
        {
            "from_segment_id": text("as in migrations"),
            "to_segment_id": text("as in migrations"),
            "customers": integer("customers", "customers"),
            "revenue_before": money("net of returns, in the window of the month before"),
            "revenue_after": money("net of returns, in this month's window"),
        },
        sort=(),
    ),
    "events": Table(
        "What became of each segment of the month before.",
        {
            "event": text("kept, split, new, merged, gone"),
            "segment_id": _SEGMENT_ID,
            "other_id": text("kept: the same; split: where it came from; merged: where it went; else null"),
            "jaccard": share("Jaccard index of the two, over customers of both months"),
        },
        sort=(),
    ),
    "moved": Table(
        "Whether the customers moved or the model did: disjoint cells that sum to everybody.",
        {
            "cell": text("unchanged, moved only, remodelled only, both (two kinds), joined, left"),
            "customers": integer("customers", "customers"),
            "share": share("of the customers of both months; null for joined and left"),
            "meaning": text("what the cell says"),
        },
        sort=(),
    ),
    "net_sizes": Table(
        "Why each segment is as large as it is: before + moved + remodelled + joined - left = after.",
        {
            "segment_id": _SEGMENT_ID,
            "before": integer("in the month before", "customers"),
            "moved": integer("net, by the old model in both months", "customers"),
            "remodelled": integer("net, by the new model instead of the old one", "customers"),
            "joined": integer("in this month only", "customers"),
            "left": integer("in the month before only", "customers"),
            "after": integer("in this month", "customers"),
        },
        sort=(),
        open=True,
    ),
    "forecasts": Table(
        "Every forecast of sizes so far, made a month before, and what came.",
        {
            "month": text("the month that was forecast"),
            "segment_id": _SEGMENT_ID,
            "expected": number("expected customers", "customers"),
            "low": number("lower end of the 95 % interval", "customers"),
            "high": number("upper end", "customers"),
            "actual": integer("customers that came, by the model of the forecast; null where it is to come"),
            "inside": boolean("whether they lie within the interval"),
        },
        sort=("month", "segment_id"),
    ),
    "drift": Table(
        "How far customers have changed between two windows that share no day (population stability index).",
        {
            "feature": text("feature, as in feature_dictionary"),
            "psi": number("population stability index"),
            "low": number("lower end of its 95 % interval, customers drawn with both values"),
            "high": number("upper end"),
            "alarm": boolean("above 0.1, and its lower end above the 99.5 % value of no change"),
        },
        sort=(),
    ),
    "aging": Table(
        "How far customers are from those that the model was fitted on, feature by feature, and the mix of segments. "
        "Where the data began within its window, over as many days in both periods.",
        {
            "feature": text("feature, as in feature_dictionary; segment: the mix of segments by that model"),
            "psi": number("population stability index"),
            "low": number("lower end of its 95 % interval"),
            "high": number("upper end"),
            "alarm": boolean("as in drift"),
        },
        sort=(),
    ),
    "kpis": Table(
        "Key figures of each segment, with 95 % intervals; null where fewer than ten customers stand behind one.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "kpi": text("which figure"),
            "unit": text("money, orders or share"),
            "customers": integer("customers behind the figure", "customers"),
            "figure": number("the figure, in its unit"),
            "low": number("lower end of its 95 % interval"),
            "high": number("upper end"),
            "others": number("the same figure of all other customers"),
        },
        sort=(),
    ),
    "target_criteria": Table(
        "Whether each segment is measurable, accessible, substantial, differentiable and actionable, in figures.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "criterion": text("measurable, accessible, substantial, differentiable or actionable"),
            "measure": text("what the figure says; those of customers are shares of the segment"),
            "figure": number("the figure; null where it is not known"),
            "low": number("lower end of its 95 % interval; null where it has none"),
            "high": number("upper end"),
        },
        sort=(),
    ),
    "targets": Table(
        "Where each segment stands by the weights of the run: how attractive it is, and how well it can be served.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "customers": integer("customers", "customers"),
            "attractiveness": share("1: best of all segments in every figure that counts; null where none is known"),
            "attractiveness_low": share("with the lower ends of the figures' intervals"),
            "attractiveness_high": share("with the upper ends"),
            "ability": share("1: best of all segments in every figure that counts; null where none is known"),
            "ability_low": share("with the lower ends of the figures' intervals"),
            "ability_high": share("with the upper ends"),
        },
        sort=(),
    ),
    "levers": Table(
        "What could be tried with each segment, the most at stake first; no effect is measured.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "lever": text("what could be tried"),
            "at_stake": money("the most that the lever could move, in the window"),
            "at_stake_low": money("lower end of its 95 % interval"),
            "at_stake_high": money("upper end"),
            "rate": number("the rate that it is meant to move, or the money per customer", "0 to 1, or money"),
            "rate_low": number("lower end of its 95 % interval", "0 to 1, or money"),
            "rate_high": number("upper end", "0 to 1, or money"),
            "effect": text("unmeasured: only a test would tell"),
            "customers_per_arm": number("customers in each arm of a test that sees a tenth more or less", "customers"),
            "can_test": boolean("whether the segment has two such arms"),
        },
        sort=(),
    ),
    "segments": Table(
        "The chosen segments. Shares of customers and of revenue sum to 1; revenue is net of returns in the window.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "description": text("one sentence with figures"),
            "rule": text("at most three conditions that come close to it, in natural units"),
            "rule_precision": share("of who meets the rule, in the segment, on a half that did not choose the rule"),
            "rule_recall": share("of the segment, who meets the rule, on that half"),
            "customers": integer("customers", "customers"),
            "customer_share": share("of all customers"),
            "revenue": money("net of returns, within the window"),
            "revenue_share": share("of all revenue; above 1 or below 0 only where returns exceed sales"),
            "border": text("firm or blurred: a mean Jaccard index of at least 0.75 over resamples, or less"),
            "mean_confidence": share("mean confidence of its customers; null where it is not known"),
            "low_confidence_customers": integer("customers assigned with a confidence below 0.5", "customers"),
        },
        sort=(),
        open=True,
    ),
    "personas": Table(
        "The figures on each segment's card, in words and as numbers; each has ten or more customers behind it.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "section": text("apart, typical (ten or more nearest to the medians), when, how, who, campaigns"),
            "feature": text("feature, as in feature_dictionary"),
            "level": text("level of a category; empty for numbers"),
            "label": text("what the figure counts, in a reader's words"),
            "text": text("the figure as a reader would say it"),
            "overall_text": text("the same figure of all customers; empty for a typical customer"),
            "figure": number("median, or mean of shares and yes/no features; the rounded median of the typical ones"),
            "low": number("lower end of its 95 % interval"),
            "high": number("upper end"),
            "overall": number("the same figure of all customers"),
            "customers": integer("whose value is known; of the typical ones: behind the figures", "customers"),
            "known_share": share("customers of the segment whose value is known"),
            "differs": boolean("whether the difference from all customers is large and certain"),
        },
        sort=(),
    ),
    "persona_products": Table(
        "What each segment buys: every category, and the products bought more than by all customers, surest first.",
        {
            "segment_id": _SEGMENT_ID,
            "segment": _SEGMENT,
            "level": text("category or product"),
            "item": text("its name; products of one name are one, those without go by their number"),
            "customers": integer("customers of the segment who bought it, 10 or more", "customers"),
            "customer_share": share("of the segment's customers, who bought it"),
            "line_share": share("of the segment's order lines"),
            "overall_share": share("of all customers' order lines"),
            "lift": number("line_share over overall_share"),
            "low": number("lower end of its interval; of those listed, 5 % miss at most"),
            "high": number("upper end"),
            "more": boolean("whether the lift is at least 1.2 and certain"),
        },
        sort=(),
    ),
    "profile": Table(
        "Each segment against all customers, feature by feature, with intervals.",
        {
            "segment_id": _SEGMENT_ID,
            "feature": text("feature, as in feature_dictionary"),
            "level": text("level of a category; empty for numbers"),
            "family": text("as in feature_dictionary"),
            "kind": text("as in feature_dictionary"),
            "unit": text("as in feature_dictionary"),
            "customers": integer("customers of the segment whose value is known", "customers"),
            "centre": number("median, or mean of shares, yes/no features and levels; null below ten customers"),
            "low": number("lower end of its 95 % interval"),
            "high": number("upper end"),
            "overall": number("the same figure of all customers"),
            "effect": number("difference from all customers, in share points or standard deviations (after log1p)"),
            "effect_low": number("lower end of its simultaneous 95 % interval"),
            "effect_high": number("upper end"),
            "effect_sd": number("the effect in standard deviations, whatever the kind"),
            "differs": boolean("whether the effect is large and certain"),
            "used": boolean("whether the segments were made from the feature, and so differ by construction"),
        },
        sort=(),
    ),
    "name_words": Table(
        "The figures behind the words of each segment's name, on customers that did not make the segments.",
        {
            "segment_id": _SEGMENT_ID,
            "word": text("the word, as used in the name"),
            "feature": text("the feature behind it"),
            "level": text("level of a category; empty for numbers"),
            "figure": number("the segment's figure, as centre in profile"),
            "low": number("lower end of its 95 % interval"),
            "high": number("upper end"),
            "overall": number("the same figure of all customers"),
            "effect": number("difference from all customers, as in profile"),
            "effect_low": number("lower end of its simultaneous 95 % interval"),
            "effect_high": number("upper end"),
            "basis": text("descriptive: the segments were made from the feature; evidence: they were not"),
        },
        sort=(),
    ),
}
