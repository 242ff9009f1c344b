"""Two months side by side: which segment is which, who moved, what drifted, what to expect, and what to do.

`identity` gives segments ids that last, `names` names that do, `migration` counts the moves and tells them from
remodelling, `forecast` says how large segments will be, `drift` whether customers have changed, `advice` whether to
refit, and `telling` all of it in sentences.
"""

from segkit.months.advice import Advice, advise_way
from segkit.months.drift import DRIFT_RULE, feature_drift, mix_drift
from segkit.months.forecast import check_forecast, forecast_sizes, measure_dispersion
from segkit.months.identity import IDENTITY_RULE, Matching, follow_segments, lasting_ids, match_segments
from segkit.months.migration import migrated_revenue, migration_matrix, migrations, moved_or_remodelled, net_sizes
from segkit.months.names import NAME_RULE, lasting_names, lasting_words, told_apart
from segkit.months.telling import tell_days, tell_drift, tell_events, tell_forecast, tell_moved, tell_moves, tell_way

__all__ = [
    "DRIFT_RULE",
    "IDENTITY_RULE",
    "NAME_RULE",
    "Advice",
    "Matching",
    "advise_way",
    "check_forecast",
    "feature_drift",
    "follow_segments",
    "forecast_sizes",
    "lasting_ids",
    "lasting_names",
    "lasting_words",
    "match_segments",
    "measure_dispersion",
    "migrated_revenue",
    "migration_matrix",
    "migrations",
    "mix_drift",
    "moved_or_remodelled",
    "net_sizes",
    "tell_days",
    "tell_drift",
    "tell_events",
    "tell_forecast",
    "tell_moved",
    "tell_moves",
    "tell_way",
    "told_apart",
]
