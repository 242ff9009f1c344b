"""segkit: customer segments that are real, or at least useful, from the order lines of a shop.

The verbs an analyst types are opened when they are first used, so that importing segkit stays light.
"""

import os
import sys
from importlib import import_module

# Small fits are many times slower when every process starts as many threads as there are cores; and sums on several
# threads differ in their last digits. A user's own setting wins.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
if "numpy" in sys.modules and not any(name in os.environ for name in _THREADS):
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)  # a notebook that imported numpy first: it no longer reads the environment
for _name in _THREADS:
    os.environ.setdefault(_name, "1")

_VERBS = {
    "open_study": "reporting.study.study_opening",
    "read_orders": "data.orders",
    "customer_features": "features.build",
    "compare_segmentations": "validation.compare",
    "fit_segmentation": "clustering.freeze",
    "assign_customers": "clustering.assign",
    "profile_segments": "segments.profile",
    "name_segments": "segments.naming.names",
    "score_customers": "scoring.score",
    "hand_over": "targeting.handover.folder",
    "match_segments": "monitoring.matching",
    "migrations": "monitoring.migration",
    "InputError": "runtime.errors",
    "run_report": "reporting.run_chain",
}

__all__ = list(_VERBS)


def __getattr__(name: str):
    if name not in _VERBS:
        raise AttributeError(f"module 'segkit' has no attribute {name!r}; its verbs are {', '.join(_VERBS)}")
    return getattr(import_module(f"segkit.{_VERBS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_VERBS])
