"""Values that many customers share exactly: they stand apart by definition, not by nature."""

import numpy as np
import pandas as pd

from segkit.validation.density_tree import density_tree
from segkit.validation.saddle import passed, saddle_test

ATOM_SHARE = 0.05  # a value shared by this many customers is a stratum of its own
TOLD_APART = 0.5  # the least difference of two segments' strata that can be what separates them
FEWEST = 20  # customers of each segment within a stratum; fewer make no mode


def find_strata(features: pd.DataFrame, least_share: float = ATOM_SHARE) -> dict[str, np.ndarray]:
    """Return for each feature with shared values the stratum of every customer.

    Each value shared by at least `least_share` of the customers is a stratum, a missing value too; all other
    values together make one more.

    Parameters
    ----------
    features : DataFrame, shape (n, features)
        Values as they are, without noise.

    Examples
    --------
    >>> find_strata(pd.DataFrame({"order_count": [1, 1, 1, 2, 7], "spend": [1.5, 2.5, 3.5, 4.5, 5.5]}), 0.5)
    {'order_count': array([0, 0, 0, 1, 1])}
    """
    strata = {}
    for name in features:
        codes, values = pd.factorize(features[name], use_na_sentinel=False)
        shares = np.bincount(codes, minlength=len(values)) / max(len(codes), 1)
        atoms = np.flatnonzero(shares >= least_share)
        number = np.full(len(values), len(atoms))
        number[atoms] = np.arange(len(atoms))
        if len(atoms) and len(np.unique(number[codes])) > 1:
            strata[str(name)] = number[codes]
    return strata


class StratumTest:
    """The saddle test again, within the largest stratum that two segments share.

    Parameters
    ----------
    learning, counting : ndarray, shapes (n, d) and (m, d)
        The two halves, in the coordinates of the test.
    labels : ndarray of int, shape (n,)
    strata_learning, strata_counting : dict of feature to stratum
        Of the two halves.
    """

    def __init__(self, learning, counting, labels, strata_learning, strata_counting):
        self.learning, self.counting, self.labels = learning, counting, labels
        self.strata_learning, self.strata_counting = strata_learning, strata_counting
        self._trees = {}  # several pairs meet in the same stratum

    def separated_by(self, a: int, b: int) -> str:
        """Return the feature without whose strata segments `a` and `b` are not separated; empty where none."""
        for feature, stratum in self.strata_learning.items():
            if self._apart(stratum, a, b) >= TOLD_APART and not self._passes_within(feature, a, b):
                return feature
        return ""

    def _apart(self, stratum: np.ndarray, a: int, b: int) -> float:
        """Return the total variation distance between the two segments' strata."""
        counts = [
            np.bincount(stratum[self.labels == each], minlength=stratum.max() + 1).astype(float) for each in (a, b)
        ]
        return float(np.abs(counts[0] / counts[0].sum() - counts[1] / counts[1].sum()).sum() / 2)

    def _passes_within(self, feature: str, a: int, b: int) -> bool:
        stratum = self.strata_learning[feature]
        pair = (self.labels == a) | (self.labels == b)
        largest = int(np.bincount(stratum[pair]).argmax())
        inside = stratum == largest
        labels = np.where(pair, self.labels, -1)[inside]
        counting = self.counting[self.strata_counting[feature] == largest]
        if min((labels == a).sum(), (labels == b).sum()) < FEWEST or len(counting) == 0:
            return False
        if (feature, largest) not in self._trees:
            self._trees[feature, largest] = density_tree(self.learning[inside])
        return bool(passed(saddle_test(self._trees[feature, largest], labels, counting)).all())
