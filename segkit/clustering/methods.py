"""The families of clustering methods, each ending in a frozen rule that puts any customer into a segment.

The labels of a fit are what its rule says, never what the algorithm said on the way: scoring a customer later, in
another file, in another month, gives the same answer. Fits don't depend on the order of the rows. They leave the
number of threads alone: small fits are fastest with one (see `segkit.validation`).
"""

from segkit.clustering.assignment_rules import Rule
from segkit.clustering.centres import hierarchical, kmeans, ward_tree
from segkit.clustering.density import dbscan, hdbscan
from segkit.clustering.fit import Fit
from segkit.clustering.gmm import gmm, gmm_rule
from segkit.clustering.grid import Candidate, candidate_grid

METHODS = {"kmeans": kmeans, "hierarchical": hierarchical, "gmm": gmm, "hdbscan": hdbscan, "dbscan": dbscan}

__all__ = ["METHODS", "Candidate", "Fit", "Rule", "candidate_grid", "gmm_rule", "ward_tree"]
