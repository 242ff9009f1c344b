"""What comparing segmentations costs beside the notebook that an analyst would write, on the same customers.

    python benchmarks/comparison.py --customers 5000 100000 --peer naive_peer.py

Both get customers with 12 numeric features, as the peer's ``make(n, 12)`` draws them; without a peer there are normal
ones, and nothing to compare with. Every step runs in a process of its own, on one thread; CPU seconds count.

The peer is a script with a function per step (``STEPS``: kmeans, sil, gap, ward, dbscan, hdbscan, gmm, boot, umap) over
numbers of segments ``KS``. Its k-means steps take hours at 100,000 customers, so one number of segments (7, the middle
of 2 to 12), one reference and one resample of it are run and multiplied by how many it would run; a step that needs
more than ``--limit`` seconds or ``--memory-gb`` is reported as what became of it, and counts for nothing.

Where the work differs: above 50,000 customers segkit compares a sample of them, it takes silhouettes on 10,000, gap,
and resamples on 5,000, and maps 5,000; the peer takes all of them each time. Per number of segments segkit compares
with 50 draws of noise twice (the peer: 20), and its resamples are assigned by a frozen rule. The last block says how
far k-means on the sample is from k-means on everybody. Steps that the peer has no counterpart for: ``evidence``
(valleys, 100 resamples, nulls and verdict of every candidate within the limits, after comparing), and ``evidence of
all``, how far it is from what everybody says.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
ROOT = Path(__file__).resolve().parents[1]
MIDDLE, NUMBERS = 7, 11  # segments of the one fit that stands for 2 to 12
PEER_STEPS = {"kmeans": NUMBERS, "sil": NUMBERS, "gmm": NUMBERS, "dbscan": 1, "hdbscan": 1, "ward": NUMBERS}
SAME = {  # segkit's step: the peer's, each with what the cost of one run is multiplied by
    "candidates and criteria": PEER_STEPS,
    "gap": {"gap": NUMBERS * 21 / 2},
    "stability": {"boot": NUMBERS * 51 / 2},
    "map": {"umap": 1},
}
OWN = ["evidence", "sample", "evidence of all"]  # steps that the peer has no counterpart for


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--customers", type=int, nargs="+", default=[5_000, 100_000])
    options.add_argument("--peer", metavar="SCRIPT", help="the notebook-style script to compare with")
    options.add_argument("--limit", type=float, default=900, help="seconds that a step of the peer may take")
    options.add_argument("--memory-gb", type=float, default=16, help="memory that a step of the peer may take")
    own = [*SAME, *OWN]
    options.add_argument("--steps", nargs="*", default=own, help="of segkit, each with the peer's")
    options.add_argument("--skip", nargs="*", default=[], metavar="STEP", help="steps of the peer not to run")
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "comparison.csv")
    options.add_argument("--one", nargs=2, metavar=("WHAT", "TABLE"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        print(json.dumps(run_one(*given.one, given.peer)))
        return
    rows = []
    for count in given.customers:
        with tempfile.TemporaryDirectory() as folder:
            table = str(Path(folder) / "customers.npy")
            np.save(table, draw_customers(count, given.peer))
            for step in given.steps:
                measured = measure(step, table, given)
                rows.append({"customers": count, "who": "segkit", "step": step, "times": 1} | measured)
                for peers, times in SAME.get(step, {}).items() if given.peer else ():
                    if peers not in given.skip:
                        measured = measure(f"peer {peers}", table, given)
                        rows.append({"customers": count, "who": "peer", "step": step, "times": times} | measured)
                pd.DataFrame(rows).to_csv(given.out, index=False)
    print(pd.DataFrame(rows).to_string(index=False))
    print("\n".join(summarise(pd.DataFrame(rows))))


def draw_customers(count: int, peer: str | None) -> np.ndarray:
    """Return the customers to compare, shape (count, 12)."""
    if peer:
        return _load(peer).make(count, 12)[0]
    return np.random.default_rng(0).normal(size=(count, 12))


def measure(what: str, table: str, given: argparse.Namespace) -> dict:
    """Return what a step cost in a process of its own: cpu, wall, rss_mb, status and what it says."""
    command = [sys.executable, __file__, "--one", what, table] + (["--peer", given.peer] if given.peer else [])
    start = time.perf_counter()

    def within() -> None:
        if what.startswith("peer"):
            resource.setrlimit(resource.RLIMIT_AS, (int(given.memory_gb * 2**30),) * 2)

    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=given.limit, preexec_fn=within, env=os.environ | ONE_THREAD
        )
    except subprocess.TimeoutExpired:
        return {"what": what, "status": f"more than {given.limit:g} s"}
    if ended.returncode:
        return {"what": what, "status": (ended.stderr.strip().splitlines() or ["killed"])[-1][:80]}
    return {"what": what, "status": "ok", "wall": round(time.perf_counter() - start, 1)} | json.loads(
        ended.stdout.splitlines()[-1]
    )


def run_one(what: str, table: str, peer: str | None) -> dict:
    """Run one step in this process, and return its CPU seconds, peak memory and what it found."""
    import sklearn.cluster  # loading libraries is no part of either's cost
    import sklearn.metrics
    import sklearn.mixture
    import sklearn.neighbors  # noqa: F401

    X, said = np.load(table), ""
    if what.startswith("peer"):
        module = _load(peer)
        module.KS = [MIDDLE]
        step, settings = module.STEPS[what.removeprefix("peer ")], argparse.Namespace(n=len(X), d=12, B=1, boots=1)
        start = _cpu()
        step(X, settings)
    else:
        start = _cpu()
        said = _STEPS[what](X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"cpu": round(_cpu() - start, 2), "rss_mb": peak, "found": said or ""}


def _sampled(X: np.ndarray):
    from segkit.reporting.study.study_choosing import COMPARED

    from segkit.preprocessing.prepare import fit_matrix
    from segkit.runtime.seeds import sample_customers

    features = pd.DataFrame(X, index=[f"c{i:07}" for i in range(len(X))]).add_prefix("f")
    dictionary = pd.DataFrame({"family": "given", "kind": "number"}, index=list(features))
    matrix = fit_matrix(features, dictionary)
    return features.loc[sample_customers(features.index, COMPARED)], matrix, features


def _candidates(X: np.ndarray) -> str:
    from segkit import compare_segmentations
    from segkit.runtime.parameters import Parameters

    table, matrix, _ = _sampled(X)
    comparison = compare_segmentations(table, matrix, Parameters(), jobs=1)
    return f"{len(comparison.candidates)} candidates over {len(table):,} customers"


def _evidence(X: np.ndarray) -> str:
    """Valleys, resamples, nulls and verdict of every candidate within the limits, as a study asks for."""
    from segkit.validation.families import candidate_recipe
    from segkit.validation.gather import gather_evidence

    from segkit import compare_segmentations
    from segkit.runtime.parameters import Parameters
    from segkit.validation.selection import BASELINES, broken_limits

    table, matrix, features = _sampled(X)
    comparison = compare_segmentations(table, matrix, Parameters(), jobs=1)
    limits = broken_limits(comparison.candidates.assign(customers=len(features)), comparison.labels, Parameters())
    within = [one for name, one in comparison.grid.items() if not limits[name] and one.family not in BASELINES]
    recipes = {one.candidate_id: candidate_recipe(one.family, one.params, len(table)) for one in within}
    settings = {"seed": 0, "dequantised": matrix.dequantised(table, 0), "features": table}
    start = _cpu()
    found = gather_evidence(matrix.transform(table), recipes, comparison.fits, **settings)
    structures = ", ".join(f"{count} {name}" for name, count in found.verdicts["structure"].value_counts().items())
    sizes = {
        "valleys": found.separation.candidates["sample_size"].max(),
        "resamples": found.stability.segments["sample_size"].max(),
    }
    told = ", ".join(f"{what} on {count:,} customers" for what, count in sizes.items())
    return f"{_cpu() - start:.0f} s beyond the candidates; {len(recipes)} within the limits: {structures}; {told}"


def _gap(X: np.ndarray) -> str:
    from segkit.validation.gap import gap_statistic
    from segkit.validation.gathering import GAP_RESTARTS

    table, matrix, _ = _sampled(X)
    gaps = gap_statistic(matrix.transform(table), 13, seed=0, restarts=GAP_RESTARTS)
    return f"{gaps.loc[gaps['choice'], 'segments'].tolist()} segments"


def _stability(X: np.ndarray) -> str:
    from segkit.clustering.methods import METHODS
    from segkit.validation.families import candidate_recipe

    from segkit.validation.stability import resample_stability

    table, matrix, _ = _sampled(X)
    rows = matrix.transform(table)
    fits = {f"kmeans-{k}": METHODS["kmeans"](rows, seed=0, k=k) for k in range(2, 13)}
    recipes = {name: candidate_recipe("kmeans", {"k": int(name[7:])}, len(rows)) for name in fits}
    found = resample_stability(rows, recipes, fits, seed=0, resamples=50, give_up=0)
    return ", ".join(found.candidates["stability_ari"].round(2).astype(str))


def _map(X: np.ndarray) -> str:
    from segkit.reporting.study.study_segments import MAP_CUSTOMERS

    from segkit.preprocessing.map import lay_out
    from segkit.runtime.seeds import sample_customers

    table, matrix, _ = _sampled(X)
    return (
        f"{len(lay_out(matrix.transform(table.loc[sample_customers(table.index, MAP_CUSTOMERS)]), seed=0)):,} customers"
    )


def _distance_to_full(X: np.ndarray) -> str:
    """K-means of 5 and 8 segments on the sample and on everybody: agreement on everybody, sums of squares, sizes."""
    from segkit.clustering.methods import METHODS

    from segkit.validation.agreement import adjusted_rand, contingency

    table, matrix, features = _sampled(X)
    if len(table) == len(features):
        return "all customers compared"
    everybody, some, said = matrix.transform(features), matrix.transform(table), []
    for k in (5, 8):
        full, rule = METHODS["kmeans"](everybody, seed=0, k=k), METHODS["kmeans"](some, seed=0, k=k).rule
        labels = rule.assign(everybody)[0]
        index = adjusted_rand(contingency(full.labels, labels))
        within = [_within(everybody, each) for each in (labels, full.labels)]
        shares = [np.bincount(rule.assign(each)[0]) / len(each) for each in (everybody, some)]
        said.append(
            f"k={k}: adjusted Rand {index:.3f}, sum of squares {within[0] / within[1] - 1:+.2%}, "
            f"sizes within {np.abs(shares[0] - shares[1]).max():.2%}"
        )
    return "; ".join(said)


def _evidence_distance(X: np.ndarray) -> str:
    """Stability and valleys of k-means as a study looks for them, on samples, and on everybody."""
    from segkit.clustering.methods import METHODS
    from segkit.validation.families import candidate_recipe

    from segkit.validation.separation import separated_pairs
    from segkit.validation.stability import resample_stability

    table, matrix, features = _sampled(X)
    found = []
    for some, resamples, limits in ((table, 100, {}), (features, 10, {"limit": len(X)})):
        rows = matrix.transform(some)
        fits = {f"kmeans-{k}": METHODS["kmeans"](rows, seed=0, k=k) for k in (3, 5, 8)}
        recipes = {name: candidate_recipe("kmeans", {"k": int(name[7:])}, len(rows)) for name in fits}
        stability = resample_stability(rows, recipes, fits, seed=0, resamples=resamples, give_up=0, **limits)
        found.append((stability.candidates, separated_pairs(rows, recipes, fits, seed=0, **limits).candidates))
    (some, some_valleys), (all_, all_valleys) = found
    said = [
        f"{one.candidate_id}: mean adjusted Rand {one.stability_ari:.2f} and {other.stability_ari:.2f}, least Jaccard "
        f"{one.stability_jaccard_min:.2f} and {other.stability_jaccard_min:.2f}, separated {near:.0%} and {far:.0%}"
        for one, other, near, far in zip(
            some.itertuples(), all_.itertuples(), some_valleys["separated_share"], all_valleys["separated_share"],
            strict=True,
        )
    ]  # fmt: skip
    return "samples and everybody: " + "; ".join(said)


def _within(X: np.ndarray, labels: np.ndarray) -> float:
    return float(
        sum(((X[labels == label] - X[labels == label].mean(axis=0)) ** 2).sum() for label in np.unique(labels))
    )


_STEPS = {
    "candidates and criteria": _candidates,
    "evidence": _evidence,
    "gap": _gap,
    "stability": _stability,
    "map": _map,
    "sample": _distance_to_full,
    "evidence of all": _evidence_distance,
}


def summarise(table: pd.DataFrame) -> list[str]:
    """Return how many times segkit's CPU the peer takes, by step and in all, of the steps that ended."""
    said = []
    apart = table["step"].isin(OWN)
    for count, rows in table[~apart].groupby("customers"):
        rows = rows.assign(cost=rows["cpu"] * rows["times"])
        cost = rows.pivot_table("cost", "step", "who", aggfunc="sum")
        if "peer" not in cost:
            continue
        ratios = (cost["peer"] / cost["segkit"]).round(1)
        said.append(f"{count:,} customers: " + ", ".join(f"{step} {ratio} times" for step, ratio in ratios.items()))
        said.append(
            f"{count:,} customers, all: {cost['peer'].sum() / cost['segkit'].sum():.1f} times the CPU of segkit"
        )
    said += [f"{row.customers:,} customers, {row.step}: {row.found}" for row in table[apart].itertuples()]
    return said


def _load(script: str):
    spec = spec_from_file_location("peer", script)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
