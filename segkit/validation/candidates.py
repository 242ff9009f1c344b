"""All candidates of a study and everything that is known of them, as tables; each verb of comparing adds to it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from segkit.clustering.families import BASELINES, FAMILIES
from segkit.clustering.family import Family
from segkit.clustering.fit import NOT_FITTED, Candidate
from segkit.clustering.freeze import family_of
from segkit.clustering.segmentation import Segmentation
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.prepare import CustomerMatrix
from segkit.runtime.errors import InputError
from segkit.runtime.tables.files import round_significant
from segkit.runtime.tables.schema import TABLES
from segkit.validation.forward.judgement import Judgement

FORWARD = ("forward_value", "forward_behaviour", "forward_share")
STABILITY = (
    *("stability_ari", "stability_ari_low", "stability_ari_high"),
    *("stability_ari_1000", "stability_ari_1000_low", "stability_ari_1000_high"),
    *("stability_jaccard_min", "stability_jaccard_min_low", "stability_jaccard_min_high"),
)
KEPT_FIGURES = (*STABILITY, "separated_share", "structure", "copula_ari")  # of a kept model: those of its fit
SERIAL_BELOW = 1_000  # fewer customers are fitted sooner than a second process starts
_EMPTY = {
    "stability": ["candidate_id", "label", "customers", "jaccard", "low", "high", "dissolved", "resamples"],
    "pairs": ["candidate_id", "segment_a", "segment_b", "ratio", "low", "high", "p", "separated", "note"],
    "verdicts": ["candidate_id", "structure", "why", "copula_ari"],
    "gaps": ["customers", "segments", "gap", "gap_error", "choice", "candidate_id"],
    "strengths": ["candidate_id", "prediction_strength", "error", "enough"],
}
_ROWS_SHOWN = 20  # in a notebook: about a screen
_TABLES = ("table", "labels", "timings", *_EMPTY)
_LOOKS = ("name", "title", "colour", "simplicity", "baseline", "phrase")


def _empty(name: str):
    return field(default_factory=lambda: pd.DataFrame(columns=_EMPTY[name]), repr=False)


@dataclass(frozen=True, repr=False)
class Candidates:
    """All candidates of a study; made by `compare`, each later verb returns them with more filled in.

    Attributes
    ----------
    table : DataFrame
        One row per candidate, columns as in ``candidates.parquet``; null where a criterion doesn't apply, or is not
        known yet. Of a candidate that was not fitted ``segments`` is the number asked for.
    labels : DataFrame
        Index customer_id, one column of labels per candidate that was fitted; 0 is its largest segment, -1 is left out.
    timings : DataFrame
        candidate_id, seconds, peak_mb (of the process that fitted it, up to then); they differ from run to run.
    families : tuple of Family
        Those compared, the baselines first.
    segments : tuple of int
        The numbers of segments asked for.
    transformer : Matrix
        Leads from features to the rows that candidates were compared in.
    matrix : CustomerMatrix or None
        None once loaded from tables: nothing can be fitted then.
    judgement : Judgement
        What they say about the days to come; of `judge`.
    stability, pairs, verdicts : DataFrame
        Of `resample`: ``candidate_id, label, jaccard, low, high, dissolved``; ``candidate_id, segment_a, segment_b``
        (labels), ``ratio, low, high, p, separated, note``; ``candidate_id, structure, why, copula_ari``.
    gaps, strengths : DataFrame
        Of `count_groups`, for k-means.
    proposed : str
        The candidate_id that the rules propose, whatever the analyst chose; of `choose`.
    verdict : dict
        What the chosen one is, whether to segment at all, and why, as in ``run.json``; of `choose`.
    kept : dict or None
        What is known of a kept model since its fit; see `kept_candidates`.
    kept_segmentation : Segmentation or None
        The kept model itself.
    fits : mapping of str to list of ResampleFit
        Of `resample`: by candidate_id, fits on resamples, which tell how sure an assignment is.
    """

    table: pd.DataFrame
    labels: pd.DataFrame
    timings: pd.DataFrame
    families: tuple[Family, ...]
    segments: tuple[int, ...]
    transformer: Matrix
    matrix: CustomerMatrix | None = None
    judgement: Judgement = field(default_factory=lambda: Judgement.open("Nothing was judged yet."))
    stability: pd.DataFrame = _empty("stability")
    pairs: pd.DataFrame = _empty("pairs")
    verdicts: pd.DataFrame = _empty("verdicts")
    gaps: pd.DataFrame = _empty("gaps")
    strengths: pd.DataFrame = _empty("strengths")
    proposed: str = ""
    verdict: dict = field(default_factory=dict)
    kept: dict | None = None
    kept_segmentation: Segmentation | None = None
    fits: Mapping[str, list] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        known = {"judged": self.judgement.shares is not None, "resampled": len(self.stability)}
        done = [f"{word}" for word, is_done in known.items() if is_done]
        if self.proposed:
            done.append(f"{self.chosen['candidate_id']} chosen")
        return ", ".join([f"{len(self.table)} candidates over {len(self.labels):,} customers", *done])

    def _repr_html_(self) -> str:
        shown = ["candidate_id", "segments", "smallest_share", *FORWARD[:2], "structure", "feasible", "chosen"]
        known = [name for name in shown if self.table[name].notna().any()]
        best_first = [name for name in ("chosen", "feasible", "forward_share") if self.table[name].notna().any()]
        rows = self.table.round(3)
        rows = rows.sort_values(best_first, ascending=False, kind="stable") if best_first else rows
        more = len(rows) - _ROWS_SHOWN
        rest = f"<p>{more} more are in <code>candidates.table</code>.</p>" if more > 0 else ""
        return f"<p>{self!r}</p>" + rows[known].head(_ROWS_SHOWN).to_html(index=False, na_rep="") + rest

    @property
    def grid(self) -> dict[str, Candidate]:
        """candidate_id -> `Candidate`, to fit the same recipe on other customers."""
        rows = self.table[["candidate_id", "family", "params"]].itertuples(index=False)
        return {name: Candidate(name, family, json.loads(params)) for name, family, params in rows}

    @property
    def fitted(self) -> pd.DataFrame:
        """The rows of the table that were fitted; of the others the reason says why not."""
        return self.table[[not str(reason).startswith(NOT_FITTED) for reason in self.table["reason"]]]

    @property
    def chosen(self) -> pd.Series:
        """The chosen candidate's row of the table."""
        if not self.proposed:
            raise InputError("no candidate is chosen yet: use choose(candidates, limits) first")
        return self.table.loc[self.table["chosen"].astype(bool)].iloc[0]

    @property
    def family_table(self) -> pd.DataFrame:
        """One row per family: family, title, colour, simplicity, baseline; plain data, such as for pictures."""
        rows = [[getattr(family, name) for name in _LOOKS] for family in self.families]
        return pd.DataFrame(rows, columns=["family", *_LOOKS[1:]])

    @property
    def is_baseline(self) -> pd.Series:
        """Whether each row of the table is a baseline: a rule to be beaten."""
        return self.table["family"].map(self.family_table.set_index("family")["baseline"])

    def family_of(self, candidate_id: str) -> Family:
        """Return the family of a candidate."""
        return family_of(self.grid[candidate_id].family, self.families)

    def known_matrix(self) -> CustomerMatrix:
        """Return the matrix.

        Raises
        ------
        InputError
            The candidates were loaded from tables, which don't have it.
        """
        if self.matrix is None:
            raise InputError(
                "these candidates were loaded from tables: nothing can be fitted on them. Do it in the notebook that "
                "compared them, or compare again"
            )
        return self.matrix

    def filled(self, figures: pd.DataFrame, **others) -> "Candidates":
        """Return the candidates with figures (candidate_id, and columns of the table) written into the table."""
        return replace(self, table=fill_in(self.table, figures), **others)

    def to_tables(self) -> dict[str, pd.DataFrame | dict]:
        """Return tables and dicts, as JSON holds them, from which `from_tables` makes the candidates again."""
        about = {
            "families": self.family_table.to_dict("records"),
            "segments": [int(k) for k in self.segments],
            "transformer": self.transformer.to_dict(),
            "proposed": self.proposed,
            "verdict": self.verdict,
            "kept": self.kept,
        }
        judged = {f"judgement_{name}": made for name, made in self.judgement.to_tables().items()}
        return {name: getattr(self, name) for name in _TABLES} | judged | {"about": about}

    @classmethod
    def from_tables(cls, made: Mapping[str, pd.DataFrame | dict]) -> "Candidates":
        """Return the candidates that `to_tables` stored, without the matrix."""
        about = made["about"]
        own = {family.name: family for family in (*FAMILIES, *BASELINES)}
        families = tuple(own.get(row["family"]) or _remembered(row) for row in about["families"])
        judged = {name.removeprefix("judgement_"): made[name] for name in made if name.startswith("judgement_")}
        return cls(
            **{name: made[name] for name in _TABLES}, families=families, segments=tuple(about["segments"]),
            transformer=Matrix.from_dict(about["transformer"]), judgement=Judgement.from_tables(judged),
            proposed=about["proposed"], verdict=about["verdict"], kept=about["kept"],
        )  # fmt: skip


def _remembered(row: dict) -> Family:
    """Return how a family looks that was defined in a notebook; its fits are not known here."""
    looks = {name: row[name] for name in _LOOKS[1:]}
    return Family(row["family"], **looks, grid=lambda matrix, segments: [], fit=None)


def count_jobs(customers: int, jobs: int | None) -> int:
    """Return how many processes to use: those asked for, else one per core, and one where there are few customers."""
    return jobs or (1 if customers < SERIAL_BELOW else len(os.sched_getaffinity(0)))


def fill_in(table: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the figures known of some candidates written over what was there."""
    table, own = table.set_index("candidate_id"), figures.set_index("candidate_id")
    for column in own.columns.intersection(table.columns):
        known = own[column].dropna()
        table[column] = table[column].astype(object) if known.dtype == object or known.dtype == "str" else table[column]
        table.loc[known.index, column] = known
    return table.reset_index()


def empty_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with all columns of the table ``candidates``, null where they are not known yet."""
    columns = TABLES["candidates"].columns
    null = {"text": None, "boolean": False}
    later = {name: null.get(column.type, np.nan) for name, column in columns.items() if name not in rows}
    return rows.assign(**later)[list(columns)]


def json_number(figure) -> float | None:
    """Return a figure as JSON holds it: rounded, null where it is missing or has no end."""
    return float(round_significant([figure])[0]) if np.isfinite(figure) else None


def json_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[list]:
    """Return rows as JSON holds them: numbers rounded, null where one is missing."""
    plain = table[list(columns)].astype(object).where(table[list(columns)].notna(), None)
    return [
        [json_number(cell) if isinstance(cell, float) else cell for cell in row] for row in plain.to_numpy().tolist()
    ]
