"""The families that are compared unless others are asked for, and the two rules that each must beat."""

from segkit.clustering.dbscan import DBSCAN
from segkit.clustering.family import Family
from segkit.clustering.gmm import GMM
from segkit.clustering.hdbscan import HDBSCAN
from segkit.clustering.kmeans import KMEANS
from segkit.clustering.predictive import PREDICTIVE
from segkit.clustering.rfm import RFM, VALUE_TIERS
from segkit.clustering.ward import WARD

FAMILIES: tuple[Family, ...] = (KMEANS, WARD, GMM, HDBSCAN, DBSCAN, PREDICTIVE)
BASELINES: tuple[Family, ...] = (RFM, VALUE_TIERS)
