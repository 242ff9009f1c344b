"""One row per customer as of a day, in natural units: the dictionary of features, and their composition in SQL."""

from segkit.features.build import CustomerFeatures, count_customers, customer_features
from segkit.features.custom import try_custom_features
from segkit.features.dictionary import FAMILIES, FEATURES, Feature
from segkit.features.portable import feature_statement

__all__ = [
    "FAMILIES",
    "FEATURES",
    "CustomerFeatures",
    "Feature",
    "count_customers",
    "customer_features",
    "feature_statement",
    "try_custom_features",
]
