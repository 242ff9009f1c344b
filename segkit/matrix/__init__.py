"""From features in natural units to the matrix in which customers are near or far: fitted once, stored, reused."""

from segkit.matrix.fitting import DEFAULT_FAMILY_WEIGHTS, fit_matrix
from segkit.matrix.frozen import Matrix
from segkit.matrix.layout import lay_out
from segkit.matrix.ready import ready_dictionary

__all__ = ["DEFAULT_FAMILY_WEIGHTS", "Matrix", "fit_matrix", "lay_out", "ready_dictionary"]
