"""The verdict on a candidate: natural, reproducible or constructive, and why, in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass

from segkit.validation.nulls import NullComparison

STABLE = 0.75  # a segment with this mean Jaccard index is a valid, stable one (Hennig 2007, section 3)
CORRELATION_ALONE = "its stability comes from correlation alone"


@dataclass(frozen=True)
class Verdict:
    """What a candidate is.

    Attributes
    ----------
    structure : str
        ``natural`` (valleys between all segments, and each comes back), ``reproducible`` (a cut through a continuum
        that comes back, more than it would without structure; where there is none each stable candidate has one chance
        in 40 to be called so, and a study tries dozens) or ``constructive`` (the analyst's own cut).
    why : str
        One sentence with the figures.
    """

    structure: str
    why: str


def is_natural(separation: Mapping, stability: Mapping) -> bool:
    """Return whether every pair is separated and every segment comes back."""
    return bool(separation["all_separated"]) and stability["stability_jaccard_min"] >= STABLE


def needs_null(separation: Mapping, stability: Mapping) -> bool:
    """Return whether it takes a comparison with structureless customers to tell reproducible from constructive."""
    return not is_natural(separation, stability) and stability["stability_jaccard_min"] >= STABLE


def candidate_verdict(
    separation: Mapping,
    stability: Mapping,
    spherical: NullComparison | None = None,
    copula: NullComparison | None = None,
) -> Verdict:
    """Return what a candidate is, from its row of `Separation`, of `Stability`, and its comparisons with nulls.

    Examples
    --------
    >>> separation = {"segments": 2, "all_separated": True, "separated_share": 1.0, "undetermined": 0,
    ...               "separated_by": "", "splits": "1"}
    >>> stability = {"stability_ari": 0.97, "stability_jaccard_min": 0.96, "resamples": 100}
    >>> print(candidate_verdict(separation, stability).why)
    a valley lies between every two of its 2 segments, on customers that did not make them, and each comes back
    (least mean Jaccard index 0.96 in 100 resamples); coarser than the data: there is a valley inside segment 1 too
    >>> candidate_verdict(separation | {"all_separated": False}, stability | {"stability_jaccard_min": 0.4}).structure
    'constructive'
    """
    least = f"least mean Jaccard index {stability['stability_jaccard_min']:.2f} in {stability['resamples']} resamples"
    if is_natural(separation, stability):
        why = (
            f"a valley lies between every two of its {separation['segments']} segments, on customers that did not "
            f"make them, and each comes back ({least})"
        )
        if separation["splits"]:
            plural = "s" if "," in separation["splits"] else ""
            why += f"; coarser than the data: there is a valley inside segment{plural} {separation['splits']} too"
        return Verdict("natural", why)
    cut = _cut(separation)
    if not needs_null(separation, stability):
        return Verdict("constructive", f"{cut}, and not every segment is stable ({least})")
    agreement = f"mean adjusted Rand index {stability['stability_ari']:.2f}"
    if spherical is None:
        raise ValueError("a stable candidate without valleys needs the comparison with a spherical null")
    if not spherical.exceeded:
        return Verdict(
            "constructive",
            f"{cut}; it comes back ({agreement}), but so it does in customers without any structure "
            f"({spherical.null.max():.2f})",
        )
    why = (
        f"{cut}, but the same cut comes back: {agreement}, above all {spherical.samples} samples without structure "
        f"(at most {spherical.null.max():.2f}); {least}"
    )
    if copula is not None and not copula.exceeded:
        why += f"; {CORRELATION_ALONE} (it is no less where only the correlations are the same)"
    return Verdict("reproducible", why)


def _cut(separation: Mapping) -> str:
    segments = separation["segments"]
    pairs = segments * (segments - 1) // 2
    separated = round(separation["separated_share"] * pairs)
    plural = "s" if pairs != 1 else ""
    text = f"a cut through a continuum ({separated} of {pairs} pair{plural} of segments separated"
    if separation["undetermined"]:
        text += f", {separation['undetermined']} undetermined"
    if separation["separated_by"]:
        text += f", some only by shared values of {separation['separated_by']}"
    return text + ")"
