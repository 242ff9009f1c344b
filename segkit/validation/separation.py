"""Separated pairs: which segments of a candidate have a valley between them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from segkit.clustering.fit import Sample
from segkit.runtime.parallel import Progress, run_tasks
from segkit.runtime.seeds import sample_rows, stream, two_halves
from segkit.validation.agreement import match_labels
from segkit.validation.density_tree import DensityTree, density_tree
from segkit.validation.saddle import POWER, decide, holm, passed, saddle_test
from segkit.validation.stability import Recipe
from segkit.validation.strata import FEWEST, StratumTest, find_strata

SEPARATION_LIMIT = 20_000  # customers in the test, both halves together
DIMENSIONS = 6  # up to here densities can be told in the fit space itself
DISCRIMINANTS = 4
STEP = 0.7  # of the logarithm of a variance


@dataclass(frozen=True)
class Separation:
    """Whether there are valleys between a candidate's segments.

    Attributes
    ----------
    candidates : DataFrame
        ``candidate_id, segments`` (of the candidate), ``segments_in_half`` (found again from half of the customers),
        ``separated_share`` (of all pairs), ``undetermined`` (pairs), ``all_separated`` (every pair passes at 0.05, and
        as many segments were found), ``separated_by`` (features whose shared values alone separate some pair,
        by comma), ``splits`` (labels of segments with a valley inside, by comma; looked for where all pairs
        pass), ``sample_size``.
    pairs : DataFrame
        ``candidate_id, segment_a, segment_b`` (labels), ``ratio, low, high, p, separated`` (yes, no, undetermined),
        ``note`` (why there is no ratio, or why a valley does not count; else empty), ``separated_by, sample_size``, and
        from `saddle_test` ``pass_customers, mode_customers, p_single, own_side, power``.
    """

    candidates: pd.DataFrame
    pairs: pd.DataFrame

    def of(self, candidate_id: str) -> "Separation":
        """Return what is said about one candidate."""
        return Separation(*(each[each["candidate_id"] == candidate_id] for each in (self.candidates, self.pairs)))

    @classmethod
    def join(cls, parts: Iterable["Separation"]) -> "Separation":
        """Return what is said about the candidates of several."""
        parts = list(parts) or [cls(pd.DataFrame(columns=_ROW), pd.DataFrame(columns=_PAIR_COLUMNS))]
        candidates = pd.concat([one.candidates for one in parts], ignore_index=True)
        pairs = [one.pairs for one in parts if len(one.pairs)] or [pd.DataFrame(columns=_PAIR_COLUMNS)]
        return cls(candidates, pd.concat(pairs, ignore_index=True))


def separated_pairs(
    spaces: Mapping[str, Sample],
    recipes: Mapping[str, Recipe],
    *,
    seed: int,
    values: pd.DataFrame | None = None,
    limit: int = SEPARATION_LIMIT,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Separation:
    """Return for each pair of segments of each candidate whether the saddle test separates it.

    The recipe is fitted on one half of the customers; the other half is counted. The space is that of the fit up to 6
    dimensions, scaled so that the learning half's segments are as wide in all directions; above, at most 4 discriminant
    coordinates of the learning half, since no density can be told in more. For segments of any shape it is that of
    the fit, above 6 dimensions the first 6 principal components. A pair that is separated is tested again within the
    largest stratum of each feature whose shared values differ between the two: what vanishes there is separated
    by that feature, by definition, and does not count; like every other pair, it is called undetermined where there are
    too few customers to say no.

    Parameters
    ----------
    spaces : mapping of family name to Sample
        The customers in an order of their own (that of their ids), not that of the file, in the space that the family
        cuts. The test is done on the dequantised rows, where there are any.
    recipes : mapping of candidate_id to Recipe
        Without labels the segments are those of the learning half: enough to see which candidates fail.
    values : DataFrame, shape (n, features), optional
        What was clustered on, in natural units, to look for shared values, for families that cut the matrix itself.
        Default, and for other families: the columns of the space.
    limit : int
        Of more customers a seeded sample of this size is tested.
    """
    clouds: dict[int, _Cloud] = {}
    kinds: dict[str, list] = {}
    for name, recipe in recipes.items():  # candidates of one kind share work
        space = spaces[recipe.family.name]
        if id(space) not in clouds:
            own = values if recipe.family.space is None else None
            clouds[id(space)] = _cloud(space, own, sample_rows(len(space), limit, seed), seed)
        cloud = clouds[id(space)]
        labels = None if recipe.labels is None else recipe.labels[cloud.rows]
        kinds.setdefault(name.rsplit("-", 1)[0], []).append((name, recipe._replace(labels=labels), cloud))
    shared = {key: cloud.shared_space() for key, cloud in clouds.items() if _has_density(kinds, cloud)}
    arguments = [
        ([each[:2] for each in part], part[0][2], shared.get(id(spaces[part[0][1].family.name])), seed)
        for part in kinds.values()
    ]
    tested = run_tasks(_test_candidates, arguments, jobs=jobs, progress=progress, what="separated pairs")
    found = {name: result for part in tested for name, result in part.items()}
    return Separation.join(found[name] for name in recipes)


_HALF = ["segments_in_half", "separated_share", "undetermined", "all_separated", "separated_by", "splits"]
_ROW = ["candidate_id", "segments", *_HALF, "sample_size"]
_OWN = ["segment_a", "segment_b"]
_TESTED = ["ratio", "low", "high", "p", "separated", "note", "separated_by"]
_COUNTED = ["pass_customers", "mode_customers", "p_single", "own_side", "power"]
_PAIR_COLUMNS = ["candidate_id", *_OWN, *_TESTED, *_COUNTED, "sample_size"]


@dataclass(frozen=True)
class _Space:
    """Coordinates of both halves, and the density tree of the learning one."""

    learning: np.ndarray
    counting: np.ndarray
    tree: DensityTree


@dataclass(frozen=True)
class _Cloud:
    """The customers of the test, cut into two halves."""

    sample: Sample
    rows: np.ndarray  # of all customers
    strata: dict[str, np.ndarray]
    learning: np.ndarray
    counting: np.ndarray
    spaces: dict[bytes, _Space] = field(default_factory=dict)

    def points(self, rows: np.ndarray) -> np.ndarray:
        return self.sample.rows[rows]

    def shared_space(self) -> _Space:
        """Return the space for segments of any shape, the same for every candidate."""
        learning, counting = self.points(self.learning), self.points(self.counting)
        if learning.shape[1] > DIMENSIONS:
            centre = learning.mean(axis=0)
            axes = np.linalg.svd(learning - centre, full_matrices=False)[2][:DIMENSIONS].T
            learning, counting = (learning - centre) @ axes, (counting - centre) @ axes
        return _Space(learning, counting, density_tree(learning))

    def space(self, labels: np.ndarray) -> _Space:
        """Return the space in which the learning half's segments are as wide in all directions, made once."""
        points = self.points(self.learning)
        scaling = _scaling(points, labels)
        if scaling.tobytes() not in self.spaces:
            learning = points @ scaling
            space = _Space(learning, self.points(self.counting) @ scaling, density_tree(learning))
            self.spaces[scaling.tobytes()] = space
        return self.spaces[scaling.tobytes()]

    def strata_of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {feature: stratum[rows] for feature, stratum in self.strata.items()}


def _cloud(space: Sample, values: pd.DataFrame | None, rows: np.ndarray, seed: int) -> _Cloud:
    if values is None:
        values = pd.DataFrame(space.X, columns=[f"column {place}" for place in range(space.X.shape[1])])
    return _Cloud(space.take(rows), rows, find_strata(values.iloc[rows]), *two_halves(len(rows), seed, "saddle"))


def _has_density(kinds: dict[str, list], cloud: _Cloud) -> bool:
    return any(recipe.family.density for part in kinds.values() for _, recipe, own in part if own is cloud)


def _scaling(learning: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the scaling (d, up to 6) by the segments' common covariance, shrunken as Ledoit & Wolf (2004).

    Balls of one radius see little where one column is wide and another narrow. Up to 6 dimensions all directions are
    kept; above, the at most 4 that discriminate best.
    """
    from sklearn.covariance import ledoit_wolf

    segments = [labels == label for label in np.unique(labels) if label >= 0]
    means = np.stack([learning[members].mean(axis=0) for members in segments])
    within = np.concatenate([learning[members] - mean for members, mean in zip(segments, means, strict=True)])
    # Shrinking pulls towards a sphere, which suits columns of one scale.
    spread = np.maximum(within.std(axis=0), 1e-9 * (learning.std(axis=0) + 1))
    covariance = ledoit_wolf(within / spread, assume_centered=True)[0]
    if learning.shape[1] <= DIMENSIONS:
        return _rounded_scaling(covariance * np.outer(spread, spread))
    scaling = np.linalg.cholesky(np.linalg.inv(covariance)) / spread[:, None]
    weights = np.sqrt([members.sum() for members in segments])[:, None]
    centred = weights * ((means - learning[labels >= 0].mean(axis=0)) @ scaling)
    kept = min(len(segments) - 1, DISCRIMINANTS)
    return scaling @ np.linalg.svd(centred, full_matrices=False)[2][:kept].T


def _rounded_scaling(covariance: np.ndarray) -> np.ndarray:
    """Return the scaling by a covariance whose logarithm is rounded to `STEP`, so that candidates share a density tree.

    Widths need to be alike, not equal: rounding changes none by more than a fifth.
    """
    variances, axes = np.linalg.eigh(covariance)
    logs = (axes * np.log(variances)) @ axes.T
    logs -= np.eye(len(logs)) * np.trace(logs) / len(logs)
    variances, axes = np.linalg.eigh(np.round(logs / STEP) * STEP)
    return (axes * np.exp(-variances / 2)) @ axes.T


def _test_candidates(candidates: list[tuple], cloud: _Cloud, shared: _Space | None, seed: int) -> dict[str, Separation]:
    return {
        name: _test_candidate(name, recipe, cloud, shared if recipe.family.density else None, seed)
        for name, recipe in candidates
    }


def _test_candidate(name: str, recipe: Recipe, cloud: _Cloud, shared: _Space | None, seed: int):
    learning, (family, params, reference) = cloud.learning, recipe
    rule = family.halved(cloud.sample.take(learning), seed=seed, **params).rule
    labels = rule.assign(cloud.sample.X)[0]
    reference = labels if reference is None else reference
    labels = match_labels(reference, labels)
    found = np.unique(labels[learning][labels[learning] >= 0])
    segments, all_separated = int(reference.max(initial=-1)) + 1, False
    tested = pd.DataFrame(columns=_PAIR_COLUMNS)
    if len(found) > 1:
        space = shared or cloud.space(labels[learning])
        tested = decide(saddle_test(space.tree, labels[learning], space.counting))
        tested["separated_by"] = _separated_by(tested, space, labels[learning], cloud)
        by_definition = tested["separated_by"] != ""
        powerful = tested["power"] >= POWER
        tested.loc[by_definition, "separated"] = np.where(powerful[by_definition], "no", "undetermined")
        all_separated = bool(len(found) == segments and passed(tested).all() and not by_definition.any())
    pairs = _own_pairs(tested, segments).assign(candidate_id=name, sample_size=len(cloud.sample))[_PAIR_COLUMNS]
    row = {
        "candidate_id": name,
        "segments": segments,
        "segments_in_half": len(found),
        "separated_share": float((pairs["separated"] == "yes").mean()) if len(pairs) else 0.0,
        "undetermined": int((pairs["separated"] == "undetermined").sum()),
        "all_separated": all_separated,
        "separated_by": ", ".join(dict.fromkeys(each for each in pairs["separated_by"] if each)),
        "splits": ", ".join(map(str, _splits(cloud, labels, found, seed) if all_separated else [])),
        "sample_size": len(cloud.sample),
    }
    return Separation(pd.DataFrame([row]), pairs)


def _separated_by(pairs: pd.DataFrame, space: _Space, labels: np.ndarray, cloud: _Cloud) -> list[str]:
    strata = cloud.strata_of(cloud.learning), cloud.strata_of(cloud.counting)
    within = StratumTest(space.learning, space.counting, labels, *strata)
    keys = zip(pairs["segment_a"], pairs["segment_b"], passed(pairs), strict=True)
    return [within.separated_by(a, b) if valley else "" for a, b, valley in keys]


def _own_pairs(pairs: pd.DataFrame, segments: int) -> pd.DataFrame:
    """Return the pairs of the candidate's own segments; those that half the customers don't show are undetermined."""
    own = pd.DataFrame(
        [(a, b) for a in range(segments) for b in range(a + 1, segments)], columns=["segment_a", "segment_b"]
    )
    pairs = own.merge(pairs, on=["segment_a", "segment_b"], how="left")
    pairs["separated"] = pairs["separated"].astype(object).where(pairs["separated"].notna(), "undetermined")
    pairs["separated_by"] = pairs["separated_by"].astype(object).where(pairs["separated_by"].notna(), "")
    shared, unseen, one_mode = pairs["separated_by"] != "", pairs["p"].isna(), pairs["low"].isna()
    by = "apart only by shared values of " + pairs["separated_by"]
    notes = [by, "not both found in half of the customers", "no second mode"]
    return pairs.assign(note=np.select([shared, unseen, one_mode], notes, ""))


def _splits(cloud: _Cloud, labels: np.ndarray, found: np.ndarray, seed: int) -> list[int]:
    """Return the segments that, split in two, have a valley inside too (Holm over the segments)."""
    tests = {}
    for segment in map(int, found):
        learning = cloud.points(cloud.learning[labels[cloud.learning] == segment])
        counting = cloud.points(cloud.counting[labels[cloud.counting] == segment])
        tests[segment] = _split_test(learning, counting, seed)
    p = holm(np.array(list(tests.values())))
    return [segment for segment, adjusted in zip(tests, p, strict=True) if adjusted < 0.05]


def _split_test(learning: np.ndarray, counting: np.ndarray, seed: int) -> float:
    """Return the p value of a valley between the two halves of a segment; 1 where they are not cut along it."""
    from sklearn.cluster import KMeans

    if min(len(learning), len(counting)) < 4 * FEWEST:
        return np.nan
    halves = KMeans(2, n_init=5, random_state=int(stream(seed, "split").integers(2**31))).fit_predict(learning)
    if np.bincount(halves, minlength=2).min() < FEWEST:
        return 1.0
    scaling = _scaling(learning, halves)
    pair = saddle_test(density_tree(learning @ scaling), halves, counting @ scaling)
    return float(pair["p_single"].iloc[0]) if passed(pair).all() else 1.0
