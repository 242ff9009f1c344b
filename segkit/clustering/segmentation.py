"""A finished segmentation, frozen: what it takes to put any customer into its segments, stored without code."""

import json
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np

from segkit.clustering.arrays import read_arrays, stack_rules, unstack_rules, write_arrays
from segkit.clustering.assignment_rules import Rule
from segkit.clustering.rfm import RfmMap, ValueTiers
from segkit.preprocessing.matrix import Matrix
from segkit.preprocessing.transforms import TRANSFORMS
from segkit.runtime.errors import InputError

FORMAT = 3  # of the stored files; a reader refuses what it doesn't know
LEFT_OUT, UNSEGMENTED = "S0", "Unsegmented"
_PLAIN = ("candidate_id", "family", "params", "names", "recipe", "window_days", "seed", "customers")


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
        Days of orders up to `as_of` that were counted, start of the random draws, customers fitted on. Where the
        data began within the window, the days there were: later customers are counted over as many, else their
        totals would be longer than those that the model knows.
    resampled : tuple of Rule, RfmMap or ValueTiers
        Rules that resamples of the customers led to, with labels matched to those of `rule`: the share of them that
        agree is how sure an assignment is.
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
    resampled: tuple[Rule | RfmMap | ValueTiers, ...] = field(default=(), repr=False)

    def __post_init__(self):
        # Half the digits are plenty for a share of fits, and half the size; the same before and after a file.
        coarse = (_coarse(rule) if isinstance(rule, Rule) else rule for rule in self.resampled)
        object.__setattr__(self, "resampled", tuple(coarse))

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
        """Write ``segmentation.json``, ``rule.npz``, ``resampled.npz``; the same segmentation gives the same bytes."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        learned = isinstance(self.rule, Rule)
        stored = {name: getattr(self, name) for name in _PLAIN} | {
            "format": FORMAT,
            "matrix": self.matrix.to_dict(),
            "rule": {"kind": self.rule.kind} if learned else self.rule.to_dict(),
            "segment_ids": list(self.segment_ids),
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "resampled": [] if learned else [rule.to_dict() for rule in self.resampled],
        }
        text = json.dumps(stored, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
        (folder / "segmentation.json").write_text(text + "\n", encoding="utf-8")
        write_arrays(folder / "rule.npz", self.rule.arrays if learned else {})
        write_arrays(folder / "resampled.npz", stack_rules(self.resampled) if learned else {})
        return folder

    @classmethod
    def load(cls, folder: Path | str) -> "Segmentation":
        """Return the segmentation that `save` wrote. Nothing in the files is executed.

        Raises
        ------
        InputError
            The folder holds no segmentation, one of another format, or one whose parts don't fit; the message names it.
        """
        folder = Path(folder)
        try:
            stored = json.loads((folder / "segmentation.json").read_text(encoding="utf-8"))
            if stored.pop("format") != FORMAT:
                raise InputError(f"{folder} holds a segmentation of another version of segkit: run the report again")
            rule, resampled = stored.pop("rule"), stored.pop("resampled")
            if "kind" in rule:
                rule = Rule(rule["kind"], read_arrays(folder / "rule.npz"))
                resampled = unstack_rules(rule.kind, read_arrays(folder / "resampled.npz"))
            else:  # a rule on features
                kind = RfmMap if "version" in rule else ValueTiers
                rule, resampled = kind.from_dict(rule), [kind.from_dict(one) for one in resampled]
            own = {"matrix": Matrix.from_dict(stored.pop("matrix")), "rule": rule, "resampled": tuple(resampled)}
            as_of, ids = stored.pop("as_of"), tuple(stored.pop("segment_ids"))
            found = cls(**stored, **own, as_of=date.fromisoformat(as_of) if as_of else None, segment_ids=ids)
            _refuse_misfits(found)
            return found
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise InputError(f"{folder} holds no finished segmentation: {missing} is missing") from None
        except InputError:
            raise
        except Exception as error:  # a file from elsewhere can be wrong in more ways than there are names for
            raise InputError(f"the segmentation in {folder} is damaged ({error}): run the report again") from error


def _coarse(rule: Rule) -> Rule:
    floats = {name: array.astype("float32") for name, array in rule.arrays.items() if array.dtype.kind == "f"}
    return Rule(rule.kind, rule.arrays | {name: array.astype("float64") for name, array in floats.items()})


def _refuse_misfits(segmentation: Segmentation) -> None:
    """Raise a ValueError where what was read can't have been written by `Segmentation.save`."""
    ids, names, columns = segmentation.segment_ids, segmentation.names, segmentation.matrix.fitted
    if set(ids) != set(names) or len(set(ids)) < len(ids) or LEFT_OUT in ids:
        raise ValueError("its segments and their names don't match")
    if not all(isinstance(text, str) for text in (*ids, *names.values())):
        raise ValueError("a segment's name is no text")
    whole = (segmentation.window_days, segmentation.seed, segmentation.customers)
    if not all(isinstance(number, int) and 0 <= number < 2**31 for number in whole):
        raise ValueError("its days, seed or customers are no whole numbers")
    if not isinstance(segmentation.recipe, dict) or not 0 < segmentation.window_days < 40_000:
        raise ValueError("nobody's features could be made by it")
    for column in columns:
        numbers = np.array([column.centre, column.scale, column.weight, column.variance], dtype="float64")
        if column.transform not in TRANSFORMS or not np.isfinite(numbers).all() or column.scale == 0:
            raise ValueError(f"column {column.column} of its matrix can't be computed")
    for rule in (segmentation.rule, *segmentation.resampled):
        if not isinstance(rule, Rule):
            if len(rule.segments) != len(ids):
                raise ValueError("its rule has other segments")
            continue
        if not all(array.dtype.kind in "if" and np.isfinite(array).all() for array in rule.arrays.values()):
            raise ValueError("an array of its rule holds other things than numbers")
        rule.assign(np.zeros((1, len(columns))))  # refuses arrays that don't fit together
    labels = segmentation.rule.arrays["labels"] if isinstance(segmentation.rule, Rule) else np.arange(len(ids))
    if "children" in getattr(segmentation.rule, "arrays", {}):
        labels = labels[labels >= 0]  # of the nodes of a tree, the others lead on or leave out
    if labels.dtype.kind != "i" or (len(labels) and not 0 <= labels.min() <= labels.max() < len(ids)):
        raise ValueError("its rule names segments that it doesn't have")
