"""How often a segment gets the same name again: from another seed, and from other customers.

    .venv/bin/python benchmarks/names.py [--choice ID] [--seeds 5] [--bootstraps 10]

The chosen candidate of the embedded data is fitted again, its segments are matched to the delivered ones (one to one,
by Jaccard), profiled by cross-fit and named as if they were all there is. Nothing carries a name over. Figures are over
all matched pairs, however far the segment itself came back.
"""

import argparse
import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
from segkit.clustering.grid import Candidate
from segkit.reporting.study.study_opening import Study, open_study
from segkit.validation.confidence import cross_labels
from segkit.validation.families import candidate_recipe
from segkit.validation.predictive_evidence import learning_recipe
from segkit.validation.resampling import resample_rows
from segkit.validation.trial import predict_segments

from segkit.segments.naming.names import name_segments
from segkit.segments.profile import profile_segments, size_segments
from segkit.validation.agreement import match_labels


def find_recipe(study: Study) -> tuple:
    """Return the recipe of the chosen candidate, and the rows and de-quantised rows that it works on."""
    row = study.chosen
    candidate = Candidate(row["candidate_id"], row["family"], json.loads(row["params"]))
    if candidate.family == "predictive":
        models, _ = predict_segments(study.orders, study.compared, study.parameters)
        return *learning_recipe(models, study.features, candidate.params), None
    X = study.segmentation.matrix.transform(study.features)
    dequantised = study.segmentation.matrix.dequantised(study.features, study.parameters.seed)
    return candidate_recipe(candidate.family, candidate.params, len(X)), X, dequantised


def name_again(study: Study, seeds: int, bootstraps: int) -> Iterator[dict]:
    """Yield profile, sizes and matches of every fit: seed 0 on all customers first, which is the delivered one."""
    recipe, X, dequantised = find_recipe(study)
    everybody = np.arange(len(X))
    used = set(study.profile.loc[study.profile["used"], "feature"])
    draws = [("seed", seed, everybody) for seed in range(seeds + 1)]
    draws += [("bootstrap", n + 1, resample_rows(len(X), halves=False, seed=99, number=n)) for n in range(bootstraps)]
    reference = None
    for kind, seed, rows in draws:
        drawn = None if dequantised is None else dequantised[rows]
        fit = recipe.fit if kind == "seed" else recipe.sample_fit
        rule = fit(X[rows], seed=seed, dequantised=drawn).rule
        labels, on_all = rule.assign(X[rows])[0], rule.assign(X)[0]
        reference = on_all if reference is None else reference
        matched = match_labels(reference, on_all)
        pairs = dict(zip(on_all, matched, strict=True))
        crossed = cross_labels(X[rows], recipe, labels, seed=seed, dequantised=drawn)
        features = study.features.iloc[rows].set_axis([f"c{n}" for n in range(len(rows))])
        ids = pd.Series(labels + 1, index=features.index).map("S{}".format)
        crossed = pd.Series(crossed + 1, index=features.index).map("S{}".format)
        profile = profile_segments(features, study.dictionary, ids, used, crossed)
        revenue = features["spend"] if study.as_of else pd.Series(np.nan, index=features.index)
        jaccard = {
            label: ((on_all == label) & (reference == own)).sum() / ((on_all == label) | (reference == own)).sum()
            for label, own in pairs.items()
        }
        yield {
            "kind": kind,
            "profile": profile,
            "sizes": size_segments(ids, revenue),
            "pairs": pairs,
            "jaccard": jaccard,
        }


def compare_names(found: list[dict], currency: str, window_days: int) -> pd.DataFrame:
    """Return ``kind, segment, again, jaccard, same``: a row per matched pair."""
    rows, delivered = [], None
    for one in found:
        names = name_segments(one["profile"], one["sizes"], currency, window_days)[0].set_index("segment_id")["segment"]
        if delivered is None:
            delivered = {label: names[f"S{label + 1}"] for label in one["pairs"]}
            continue
        rows += [
            (one["kind"], delivered[own], names[f"S{label + 1}"], one["jaccard"][label])
            for label, own in one["pairs"].items()
            if own in delivered and label >= 0
        ]
    table = pd.DataFrame(rows, columns=["kind", "segment", "again", "jaccard"])
    return table.assign(same=table["segment"] == table["again"])


def main() -> None:
    """Print the share of matched pairs with the same name, by kind of draw, and which names changed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="complete-journey")
    parser.add_argument("--month", default="2017-09")
    parser.add_argument("--source", default="")
    parser.add_argument("--choice", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bootstraps", type=int, default=10)
    asked = parser.parse_args()
    study = open_study(asked.dataset, asked.month, source=asked.source, choice=asked.choice)
    found = list(name_again(study, asked.seeds, asked.bootstraps))
    table = compare_names(found, study.card.currency, study.days_counted)
    print(table.groupby("segment", sort=False)["again"].value_counts().to_string())
    print(table.groupby("kind")["same"].agg(["mean", "size"]).round(3).to_string())
    firm = table[table["jaccard"] >= 0.75]
    print(f"all matched pairs: {table['same'].mean():.1%} of {len(table)}")
    print(f"pairs with a Jaccard index of 0.75 or more: {firm['same'].mean():.1%} of {len(firm)}")


if __name__ == "__main__":
    main()
