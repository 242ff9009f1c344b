"""A finished segmentation, frozen: what it takes to put any customer into its segments, stored without code."""

import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from segkit.baselines import RfmMap, ValueTiers, fit_rfm, fit_value_tiers
from segkit.errors import InputError
from segkit.matrix import Matrix
from segkit.methods import METHODS, Candidate, Fit, Rule

FORMAT = 1  # of the stored files; a reader refuses what it doesn't know
LEFT_OUT = "S0"
TOO_LITTLE = "too little history: none of the figures that the model works on is known"
_DATE = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same arrays make the same bytes
BASELINES = {"rfm": fit_rfm, "tiers": fit_value_tiers}  # rules over features, by family; None where columns lack
_BASELINE_RULES = {"rfm": RfmMap, "tiers": ValueTiers}


@dataclass(frozen=True)
class Segmentation:
    """A fitted segmentation with everything needed to assign customers later; made by `fit_segmentation`.

    Attributes
    ----------
    candidate_id, family, params
        The recipe that it was fitted by.
    matrix : Matrix
        Leads from features to the rows that the rule works on.
    rule : Rule, RfmMap or ValueTiers
        The frozen assignment rule; the last two work on features.
    segment_ids : tuple of str
        The lasting id of each label.
    names : dict
        segment_id -> name of the segment.
    recipe : dict
        What the features chose from the data (categories, countries, ...), so that later ones are made alike.
    as_of : date or None
        Last day counted; none for a ready table.
    window_days, seed, customers : int
        Days of orders before `as_of`, start of the random draws, customers fitted on.
    """

    candidate_id: str
    family: str
    params: dict
    matrix: Matrix = field(repr=False)
    rule: Rule | RfmMap | ValueTiers = field(repr=False)
    segment_ids: tuple[str, ...]
    names: dict[str, str]
    recipe: dict
    as_of: date | None
    window_days: int
    seed: int
    customers: int

    def __repr__(self) -> str:
        day = f" as of {self.as_of}" if self.as_of else ""
        return f"{self.candidate_id}, {self.customers:,} customers{day}, seed {self.seed}"

    def with_segments(self, segment_ids: tuple[str, ...], names: dict[str, str]) -> "Segmentation":
        """Return the segmentation with the lasting id of each label and the name of each id."""
        if len(segment_ids) != len(self.segment_ids) or len(set(segment_ids)) != len(segment_ids):
            raise ValueError(f"{len(self.segment_ids)} labels need as many different ids, not {segment_ids}")
        if set(segment_ids) - set(names) or LEFT_OUT in segment_ids:
            raise ValueError(f"every id but {LEFT_OUT} needs a name: {segment_ids}, {names}")
        return replace(self, segment_ids=tuple(segment_ids), names={sid: names[sid] for sid in segment_ids})

    def save(self, folder: Path | str) -> Path:
        """Write ``segmentation.json`` and ``rule.npz`` into `folder`; the same segmentation gives the same bytes."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        learned = isinstance(self.rule, Rule)
        stored = {
            "format": FORMAT,
            "candidate_id": self.candidate_id,
            "family": self.family,
            "params": self.params,
            "matrix": self.matrix.to_dict(),
            "rule": {"kind": self.rule.kind} if learned else self.rule.to_dict(),
            "segment_ids": list(self.segment_ids),
            "names": self.names,
            "recipe": self.recipe,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "window_days": self.window_days,
            "seed": self.seed,
            "customers": self.customers,
        }
        text = json.dumps(stored, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
        (folder / "segmentation.json").write_text(text + "\n", encoding="utf-8")
        with zipfile.ZipFile(folder / "rule.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in sorted(self.rule.arrays.items()) if learned else ():
                content = io.BytesIO()
                np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), content.getvalue(), zipfile.ZIP_DEFLATED)
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> "Segmentation":
        """Return the segmentation that `save` wrote. Nothing in the files is executed.

        Raises
        ------
        InputError
            The folder holds no segmentation, or one of an unknown format, or a damaged one; the message names it.
        """
        folder = Path(folder)
        try:
            stored = json.loads((folder / "segmentation.json").read_text(encoding="utf-8"))
            if stored.pop("format") != FORMAT:
                raise InputError(f"{folder} holds a segmentation of another version of segkit: run the report again")
            rule = stored.pop("rule")
            if stored["family"] in _BASELINE_RULES:
                rule = _BASELINE_RULES[stored["family"]].from_dict(rule)
            else:
                with np.load(folder / "rule.npz", allow_pickle=False) as arrays:
                    rule = Rule(rule["kind"], {name: arrays[name] for name in arrays.files})
            as_of = date.fromisoformat(stored.pop("as_of")) if stored["as_of"] else stored.pop("as_of")
            matrix = Matrix.from_dict(stored.pop("matrix"))
            ids = tuple(stored.pop("segment_ids"))
            return cls(matrix=matrix, rule=rule, as_of=as_of, segment_ids=ids, **stored)
        except FileNotFoundError as error:
            raise InputError(
                f"{folder} holds no finished segmentation: {Path(error.filename).name} is missing"
            ) from None
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"the segmentation in {folder} is damaged ({error}): run the report again") from error


def fit_segmentation(
    features: pd.DataFrame,
    matrix: Matrix,
    candidate: Candidate,
    *,
    seed: int,
    as_of: date | None = None,
    window_days: int = 365,
    recipe: dict | None = None,
    rule: Rule | RfmMap | ValueTiers | None = None,
) -> Segmentation:
    """Return one candidate fitted and frozen, its segments called S1, S2, ... from the largest to the smallest.

    Parameters
    ----------
    features : DataFrame
        Index customer_id, natural units.
    matrix : Matrix
        Fitted on features such as these.
    candidate : Candidate
        candidate_id, family and params.
    seed, as_of, window_days, recipe
        Kept for later; `seed` also starts the fit.
    rule : optional
        The rule of a fit of this very candidate, which then isn't fitted again.

    Raises
    ------
    InputError
        The features lack what the matrix or the rule needs; the message names it.

    Examples
    --------
    >>> from segkit.matrix import fit_matrix
    >>> features = pd.DataFrame({"spend": [1.0, 2.0, 3.0, 90.0, 99.0]}, index=list("abcde"))
    >>> matrix = fit_matrix(features, pd.DataFrame({"family": "value", "kind": "money"}, index=["spend"]))
    >>> segmentation = fit_segmentation(features, matrix, Candidate("kmeans-2", "kmeans", {"k": 2}), seed=0)
    >>> segmentation
    kmeans-2, 5 customers, seed 0
    >>> assign_customers(segmentation, features)["segment_id"].to_list()
    ['S1', 'S1', 'S1', 'S2', 'S2']
    >>> assign_customers(segmentation, features[[]])
    Traceback (most recent call last):
    segkit.errors.InputError: features lack spend, which the matrix was fitted on: compute them first
    """
    if rule is None:
        rule = fit_candidate(features, matrix, candidate, seed=seed).rule
    if isinstance(rule, Rule):
        segments = [f"Segment {number}" for number in range(1, rule.segments + 1)]
    else:
        segments = rule.segments
    ids = tuple(f"S{number}" for number in range(1, len(segments) + 1))
    return Segmentation(
        *candidate, matrix, rule, ids, dict(zip(ids, segments, strict=True)), recipe or {}, as_of, window_days, seed,
        len(features),
    )  # fmt: skip


def fit_candidate(features: pd.DataFrame, matrix: Matrix, candidate: Candidate, *, seed: int) -> Fit:
    """Return the fit of one candidate, on one thread: the same as among all candidates."""
    from threadpoolctl import threadpool_limits

    if candidate.family in BASELINES:
        fit = fit_baseline(features, candidate)
        if fit is None:
            raise InputError(
                f"{candidate.candidate_id} needs days_since_last_order, order_count and spend: choose another"
            )
        return fit
    with threadpool_limits(limits=1):
        X, dequantised = matrix.transform(features), matrix.dequantised(features, seed)
        return METHODS[candidate.family](X, seed=seed, dequantised=dequantised, **candidate.params)


def fit_baseline(features: pd.DataFrame, candidate: Candidate) -> Fit | None:
    """Return a rule over features as a fit; None where the features lack its columns.

    Its labels are the places of its named segments, most valued first: some may have no customers.
    """
    rule = BASELINES[candidate.family](features, **candidate.params)
    if rule is None:
        return None
    labels = rule.assign(features)["label"].to_numpy().astype("int32")
    return Fit(labels, labels, rule)


def assign_customers(segmentation: Segmentation, features: pd.DataFrame) -> pd.DataFrame:
    """Return the segment of each customer by the frozen rule; nothing is fitted.

    Returns
    -------
    DataFrame
        Index customer_id; ``segment_id`` (S0 for customers left out), ``segment``, ``nearest_segment_id`` (the segment
        to use for a customer left out, else the same; null where there is none), ``confidence`` (null: it takes
        resamples), ``reason`` (why a customer is in S0, else null).

    Raises
    ------
    InputError
        A feature is missing or of another kind than the segmentation was fitted on; the message names it.
    """
    rule = segmentation.rule
    needed = dict.fromkeys(column.feature for column in segmentation.matrix.fitted)
    unknown = np.zeros(len(features), dtype=bool)
    if isinstance(rule, Rule):
        labels, nearest = rule.assign(segmentation.matrix.transform(features))
        unknown = features[list(needed)].isna().all(axis=1).to_numpy()
        labels, nearest = np.where(unknown, -1, labels), np.where(unknown, -1, nearest)
        why = "in no dense region: farther from every customer of a segment than those are from each other"
    else:
        labels = nearest = rule.assign(features)["label"].to_numpy()
        why = "a figure that the rule needs is missing"
    ids = pd.array([*segmentation.segment_ids, LEFT_OUT], dtype="str")
    names = pd.array([*(segmentation.names[sid] for sid in segmentation.segment_ids), "Unsegmented"], dtype="str")
    nearest_ids = pd.array([*segmentation.segment_ids, None], dtype="str")
    return pd.DataFrame(
        {
            "segment_id": ids.take(labels),
            "segment": names.take(labels),
            "nearest_segment_id": nearest_ids.take(nearest),
            "confidence": np.nan,
            "reason": pd.array(np.where(unknown, TOO_LITTLE, np.where(labels < 0, why, None)), dtype="str"),
        },
        index=features.index,
    )
