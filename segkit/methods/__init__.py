"""The families of clustering methods, each ending in a frozen rule that puts any customer into a segment.

The labels of a fit are what its rule says, never what the algorithm said on the way: scoring a customer later, in
another file, in another month, gives the same answer. Fits don't depend on the order of the rows. They leave the
number of threads alone: small fits are fastest with one (see `segkit.compare`).
"""

from segkit.methods.centres import hierarchical, kmeans, ward_tree
from segkit.methods.density import dbscan, hdbscan
from segkit.methods.fit import Fit
from segkit.methods.grid import Candidate, candidate_grid
from segkit.methods.mixtures import gmm, gmm_rule
from segkit.methods.rules import Rule

METHODS = {"kmeans": kmeans, "hierarchical": hierarchical, "gmm": gmm, "hdbscan": hdbscan, "dbscan": dbscan}

__all__ = ["METHODS", "Candidate", "Fit", "Rule", "candidate_grid", "gmm_rule", "ward_tree"]
