"""Open a study: which dataset, which day, which parameters."""

import re
from dataclasses import replace
from pathlib import Path

from segkit.data.cards.card import read_card
from segkit.data.periods import last_day_counted
from segkit.monitoring.previous_month import EarlierMonth, read_run
from segkit.reporting.study.study_telling import TellingSteps
from segkit.runtime.errors import InputError
from segkit.runtime.parameters import read_parameters

COUNTED = ("kmeans", "ward", "gmm", "predictive", "layers")  # what a candidate_id begins with where it ends with
CANDIDATES = ("rfm", "tiers", *COUNTED, "hdbscan", "dbscan")  # its segments, and at all


class Study(TellingSteps):
    """A dataset as of a day, under parameters; made by `open_study`.

    Attributes are tables (or hold them) and are computed when first asked for: `orders`, `ledger`, `features`,
    `dictionary`, `matrix`, `candidates`, `labels`, `segmentation`, `assignments`, `profile`, `segments`, `map`.
    """

    def compute(self) -> None:
        """Compute every step, so that what the user can mend is found before anything is written."""
        _ = self.candidates, self.map, self.segments, self.assignments
        if self.as_of is not None:
            _ = self.history, self.only_returned  # the page asks the lines nothing that is not kept by then
        if self.earlier is not None:
            _ = self.drift, self.migrated_revenue, self.net_sizes


def open_study(
    dataset: str | Path,
    month: str = "",
    as_of: str = "",
    source: str = "",
    previous: "str | Path | Study" = "",
    **settings,
) -> "Study":
    """Return the study of a dataset as of the end of a month, or of a day.

    Nothing is computed yet: each table is made when it is first asked for, and kept between sessions, keyed by
    what it depends on.

    Parameters
    ----------
    dataset : str or path
        The name of a card in ``data/``, or the path of one.
    month : str
        ``"2017-09"``. Neither month nor day for a dataset that is a ready table of customers.
    as_of : str
        A day instead of a month, ``"2010-12-10"``: the last day counted.
    source : str
        A file to read instead of the one the card names.
    previous : str, path or Study
        The month before, if any: the folder of its finished run, its study, or ``"2017-08"``, which is then studied
        by the same parameters without a month before its own. Segments keep its ids, and its model stays in use
        until drift or age says refit.
    **settings
        Parameters by name, above the card's ``[defaults]``; see `Parameters`.

    Raises
    ------
    InputError
        Unknown dataset, parameter or month; the message names it and the way out.

    Examples
    --------
    >>> open_study("complete-journey", month="2017-09", max_segments=8)
    complete-journey as of 2017-09-30
    >>> open_study("complete-journey", month="17-9")
    Traceback (most recent call last):
    segkit.InputError: month '17-9' is not YYYY-MM; for example 2017-09
    """
    card = read_card(dataset, source or None)
    parameters = read_parameters(card.defaults, settings)
    check_choice(parameters.choice, parameters.max_segments)
    if card.ready is not None:
        if month or as_of or previous:
            raise InputError(f"dataset {card.name} is a ready table of customers: it takes neither --month nor --as-of")
        return Study(card, "static", None, parameters)
    if month and as_of:
        raise InputError(f"both --month {month} and --as-of {as_of} were given: keep one of them")
    if not (month or as_of):
        raise InputError(f"dataset {card.name} needs either --month YYYY-MM or --as-of YYYY-MM-DD")
    study = Study(card, month or as_of, last_day_counted(month, as_of), parameters)
    if previous:
        study.earlier = _month_before(study, previous)
    return study


def check_choice(choice: str, max_segments: int) -> None:
    """Refuse a candidate_id that will not be tried, before the minutes that trying takes.

    Examples
    --------
    >>> check_choice("kmeans-20", max_segments=12)
    Traceback (most recent call last):
    segkit.InputError: choice 'kmeans-20' is not tried: max_segments is 12; --set max_segments=20 tries it
    >>> check_choice("means-5", max_segments=12)
    Traceback (most recent call last):
    segkit.InputError: choice 'means-5' is no candidate, such as kmeans-5; ids begin with rfm, tiers, ...
    """
    kind, last = choice.split("-")[0], choice.split("-")[-1]
    if choice and kind not in CANDIDATES:
        raise InputError(f"choice {choice!r} is no candidate, such as kmeans-5; ids begin with {', '.join(CANDIDATES)}")
    if kind in COUNTED and last.isdigit() and int(last) > max_segments:
        raise InputError(
            f"choice {choice!r} is not tried: max_segments is {max_segments}; --set max_segments={last} tries it"
        )


def _month_before(study: Study, previous: str | Path | Study) -> EarlierMonth:
    """Return the month before: a study, a finished run, or a month that is studied for it."""
    if isinstance(previous, str) and re.fullmatch(r"\d{4}-\d{2}", previous):
        alone = replace(study.parameters, choice="", way="auto")
        previous = Study(study.card, previous, last_day_counted(previous), alone)
    earlier = previous.as_earlier() if isinstance(previous, Study) else read_run(previous)
    if not earlier.as_of < study.as_of:
        raise InputError(f"previous {earlier.label} does not end before {study.label}: name an earlier month")
    return earlier
