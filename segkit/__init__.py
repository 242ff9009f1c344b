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

VERBS = {
    # every notebook
    "open_run": "run",
    "InputError": "runtime.errors",
    # 01, 02
    "read_orders": "data.orders",
    "monthly_sales": "data.explore",
    "category_sales": "data.explore",
    "revenue_concentration": "data.explore",
    "feature_distributions": "data.explore",
    "build_features": "features.build",
    "customer_features": "features.build",
    "custom": "features.build",
    # 03
    "prepare": "preprocessing.prepare",
    "FAMILIES": "clustering.families",
    "Family": "clustering.family",
    "compare": "validation.compare",
    "learn_outcomes_before": "validation.forward.look_back",
    "look_back": "validation.forward.look_back",
    "judged_from": "validation.forward.look_back",
    "judge": "validation.forward.judge",
    "earlier_origins": "validation.forward.origins",
    "unseen_outcomes": "validation.forward.origins",
    "Limits": "validation.selection",
    "resample": "validation.resample",
    "count_groups": "validation.group_counts",
    "choose": "validation.selection",
    "check_choice": "validation.selection",
    "choice_rule": "validation.selection",
    "forward_sentence": "validation.selection",
    "shortlist": "validation.comparison_tables",
    "one_per_family": "validation.comparison_tables",
    "agreement_between": "validation.comparison_tables",
    "companions": "validation.comparison_tables",
    "equal_terms": "validation.comparison_tables",
    "group_counts": "validation.comparison_tables",
    "group_criteria": "validation.comparison_tables",
    "segment_flows": "validation.comparison_tables",
    "fit_segmentation": "validation.sureness",
    "cross_segments": "validation.sureness",
    "keep_or_refit": "monitoring.refit",
    "features_by_model": "monitoring.refit",
    "judge_kept_model": "monitoring.refit",
    "kept_candidates": "validation.kept_model",
    # 04
    "number_segments": "monitoring.matching",
    "profile_segments": "segments.profile",
    "size_segments": "segments.profile",
    "name_segments": "segments.naming.names",
    "names_to_keep": "monitoring.lasting_names",
    "compare_names": "monitoring.lasting_names",
    "describe_by_rule": "segments.segment_list",
    "list_segments": "segments.segment_list",
    "segment_borders": "segments.segment_list",
    "names_of_rule": "segments.segment_list",
    "rename_segments": "segments.segment_list",
    "name_segmentation": "segments.segment_list",
    "assign_customers": "clustering.assign",
    "assign_everybody": "segments.segment_list",
    "draw_map": "segments.customer_map",
    # 05
    "match_segments": "monitoring.matching",
    "migrations": "monitoring.migration",
    "migrated_revenue": "monitoring.migration",
    "assign_by_both": "monitoring.month_moves",
    "forecast_months": "monitoring.month_moves",
    "customer_drift": "monitoring.month_moves",
    "moves_so_far": "monitoring.month_history",
    # 06 and after
    "segment_kpis": "targeting.kpis",
    "judge_targets": "targeting.criteria",
    "place_targets": "targeting.criteria",
    "rank_levers": "targeting.levers",
    "LEVERS": "targeting.levers",
    "Lever": "targeting.levers",
    "list_actions": "targeting.action_list",
    "score_customers": "scoring.score",
    "hand_over": "targeting.handover.folder",
    "run_report": "reporting.run_chain",
}

__all__ = list(VERBS)


def __getattr__(name: str):
    if name not in VERBS:
        raise AttributeError(f"module 'segkit' has no attribute {name!r}; its verbs are {', '.join(VERBS)}")
    return getattr(import_module(f"segkit.{VERBS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *VERBS])
