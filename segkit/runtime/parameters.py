"""The parameters of a study: their defaults, limits and meaning, and how they are read from text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

from segkit.runtime.disk import shortened
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import nearest

WAYS = ("auto", "refit", "frozen")


def _parameter(default, meaning: str, least: float | None = None, most: float | None = None):
    return field(default=default, metadata={"meaning": meaning, "least": least, "most": most})


@dataclass(frozen=True)
class Parameters:
    """What a study can be told; the same names in notebooks, cards and ``--set NAME=VALUE``.

    Raises
    ------
    InputError
        A figure has the wrong type or lies outside its limits; the message names it and them.

    Examples
    --------
    >>> Parameters(max_segments=8).max_segments
    8
    >>> Parameters(max_noise=20)
    Traceback (most recent call last):
    segkit.InputError: parameter max_noise is 20; it must be a number from 0 to 1 (the largest share of ...)
    """

    window_days: int = _parameter(365, "days of orders before as_of that features are made of", 30, 3660)
    horizon_days: int = _parameter(90, "days after as_of over which a segmentation is judged", 7, 730)
    seed: int = _parameter(0, "start of every random draw", 0, 2**31 - 1)
    min_segments: int = _parameter(3, "fewest segments that are useful to you", 1, 50)
    max_segments: int = _parameter(12, "most segments that you can treat differently", 2, 50)
    min_share: float = _parameter(0.02, "smallest share of customers a segment may have", 0, 0.5)
    min_customers: int = _parameter(0, "fewest customers of a segment; 0: 50, of under 1,000 a twentieth", 0, 10**9)
    max_noise: float = _parameter(0.2, "the largest share of customers a method may leave out", 0, 1)
    bootstraps: int = _parameter(100, "resamples for stability", 10, 10_000)
    judge_value: float = _parameter(0.5, "weight of how much customers will buy against what and how", 0, 1)
    choice: str = _parameter("", "a candidate_id to take instead of the proposed one")
    way: str = _parameter("auto", "after a first month: auto, refit (fit anew) or frozen (keep the model)")
    refit_after: int = _parameter(6, "months after which a model is fitted anew in any case", 1, 120)
    min_confidence: float = _parameter(0.0, "customers assigned with less confidence are held out of audiences", 0, 1)
    handover_floor: int = _parameter(50, "fewest customers of a segment in a file that is handed over", 10, 10**9)

    weigh_revenue: float = _parameter(0.5, "weight of revenue in how attractive a segment is", 0, 1)
    weigh_retention: float = _parameter(0.25, "weight of retention in how attractive a segment is", 0, 1)
    weigh_response: float = _parameter(0.25, "weight of campaign response in how attractive a segment is", 0, 1)
    weigh_confidence: float = _parameter(0.4, "weight of sure assignment in how well a segment can be served", 0, 1)
    weigh_rule: float = _parameter(0.3, "weight of what its rule reaches in how well a segment can be served", 0, 1)
    weigh_reach: float = _parameter(0.3, "weight of addresses in how well a segment can be served", 0, 1)

    def __post_init__(self):
        for parameter in fields(self):
            least, most = parameter.metadata["least"], parameter.metadata["most"]
            given = getattr(self, parameter.name)
            fits = isinstance(given, (int, float) if parameter.type is float else parameter.type)
            fits = fits and not isinstance(given, bool)
            if fits and parameter.type is not str:
                fits = (least is None or given >= least) and (most is None or given <= most)
            if not fits:
                raise _refusal(parameter, given)
            if parameter.type is float:  # 1 and 1.0 are the same setting
                object.__setattr__(self, parameter.name, float(given))
        if not re.fullmatch(r"[A-Za-z0-9._+-]{0,100}", self.choice):
            given = shortened(self.choice)
            raise InputError(f"parameter choice is {given!r}; it must be a candidate_id, such as kmeans-5")
        if self.way not in WAYS:
            given = shortened(self.way)
            raise InputError(f"parameter way is {given!r}; it must be {', '.join(WAYS[:-1])} or {WAYS[-1]}")
        if self.min_segments > self.max_segments:
            raise InputError(
                f"parameter min_segments is {self.min_segments} and max_segments {self.max_segments}; "
                "the first can't exceed the second"
            )

    def as_dict(self) -> dict:
        """Return name and setting of every parameter."""
        return asdict(self)


def _refusal(parameter, given: object) -> InputError:
    try:
        told = repr(given) if isinstance(given, str) else str(given)
    except ValueError:  # a whole number of more digits than Python writes out
        told = "a number of thousands of digits"
    meaning = parameter.metadata["meaning"]
    return InputError(f"parameter {parameter.name} is {shortened(told)}; it must be {_limits(parameter)} ({meaning})")


def _limits(parameter) -> str:
    kind = {int: "a whole number", float: "a number", str: "a text"}[parameter.type]
    least, most = parameter.metadata["least"], parameter.metadata["most"]
    if least is not None and most is not None:
        return f"{kind} from {least:,} to {most:,}"
    return f"{kind} of at least {least:,}" if least is not None else kind


def read_parameters(*layers: Mapping[str, object]) -> Parameters:
    """Return the parameters of settings laid over each other, later ones above earlier ones.

    Texts are read as the parameter's type, so that ``{"seed": "3"}`` and ``{"seed": 3}`` are the same.

    Raises
    ------
    InputError
        A name is unknown (the message names the nearest) or a setting can't be read.

    Examples
    --------
    >>> read_parameters({"max_segments": 10}, {"max_segments": "8"}).max_segments
    8
    >>> read_parameters({"max_segment": 8})
    Traceback (most recent call last):
    segkit.InputError: unknown parameter max_segment; did you mean max_segments? Known: window_days, ...
    """
    settings = {}
    for layer in layers:
        for name, given in layer.items():
            settings[name] = _read(_find(name), given)
    return Parameters(**settings)


def _find(name: str):
    known = {parameter.name: parameter for parameter in fields(Parameters)}
    if name not in known:
        hint = nearest(name, known).replace("`", "") or "."
        raise InputError(f"unknown parameter {shortened(name)}{hint} Known: {', '.join(known)}")
    return known[name]


def _read(parameter, given):
    if not isinstance(given, str) or parameter.type is str:
        return given
    try:
        if not given.isascii():  # digits of other scripts would be read as numbers
            raise ValueError
        return parameter.type(given)
    except ValueError:
        raise _refusal(parameter, given) from None


def split_settings(settings: Iterable[str]) -> dict[str, str]:
    """Return ``["seed=3"]`` as ``{"seed": "3"}``; names that are no parameter are refused.

    Examples
    --------
    >>> split_settings(["seed=3", "choice=kmeans-5"])
    {'seed': '3', 'choice': 'kmeans-5'}
    >>> split_settings(["seed"])
    Traceback (most recent call last):
    segkit.InputError: --set takes NAME=VALUE, not 'seed'; for example --set seed=3
    >>> split_settings(["month=2017-09"])
    Traceback (most recent call last):
    segkit.InputError: unknown parameter month. Known: window_days, ...
    """
    pairs = {}
    for setting in settings:
        name, equals, given = setting.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set takes NAME=VALUE, not {shortened(setting)!r}; for example --set seed=3")
        _find(name.strip())
        pairs[name.strip()] = given.strip()
    return pairs
