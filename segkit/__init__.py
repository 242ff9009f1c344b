"""segkit: customer segments that are real, or at least useful, from the order lines of a shop.

The verbs an analyst types are opened when they are first used, so that importing segkit stays light.
"""

from importlib import import_module

_VERBS = {
    "open_study": "study",
    "read_orders": "sources",
    "customer_features": "features",
    "compare_segmentations": "compare",
    "fit_segmentation": "segmentation",
    "assign_customers": "segmentation",
    "profile_segments": "profile",
    "name_segments": "naming",
    "score_customers": "score",
    "hand_over": "handover",
    "match_segments": "months",
    "migrations": "months",
    "run_report": "report",
}

__all__ = list(_VERBS)


def __getattr__(name: str):
    if name not in _VERBS:
        raise AttributeError(f"module 'segkit' has no attribute {name!r}; its verbs are {', '.join(_VERBS)}")
    return getattr(import_module(f"segkit.{_VERBS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
