"""Gaussian mixtures."""

import warnings

import numpy as np

from segkit.methods.fit import Fit, finish, fit_order
from segkit.methods.rules import Rule, component_scores

REGULAR = 1e-3  # least variance of a component, as a share of the columns' mean variance


def gmm(
    X, *, seed: int, dequantised=None, k: int, covariance: str, sample: int | None = None, starts: int | None = None
) -> Fit:
    """Return a mixture of k Gaussians (`covariance` full, tied, diag or spherical), fitted on the dequantised rows.

    ``bic`` and ``icl`` (lower is better) are those of the rows fitted on; ICL adds twice the entropy of the
    assignment to BIC (Biernacki, Celeux & Govaert 2000). Variances are kept above `REGULAR` of the mean variance.
    `starts`, of which the best is taken, are two up to 5,000 rows, else one.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rows = X if dequantised is None else dequantised
    rows = rows[fit_order(rows, seed, sample)]
    rows = rows.repeat(2, axis=0) if len(rows) == 1 else rows  # the library wants two
    spread = float(rows.var(axis=0).mean())
    model = GaussianMixture(
        min(k, len(rows)), covariance_type=covariance, reg_covar=REGULAR * spread or 1e-6, random_state=seed,
        max_iter=200, n_init=starts or (2 if len(rows) <= 5_000 else 1),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a flat likelihood; BIC says what the fit is worth
        model.fit(rows)
    size = rows.shape[1]
    cholesky, one = model.precisions_cholesky_, np.eye(size)
    scales = {
        "full": lambda: cholesky,
        "tied": lambda: np.repeat(cholesky[None], len(model.means_), axis=0),
        "diag": lambda: cholesky[:, :, None] * one,
        "spherical": lambda: cholesky[:, None, None] * one,
    }[covariance]()
    offsets = np.log(model.weights_) + np.log(np.diagonal(scales, axis1=1, axis2=2)).sum(axis=1)
    order = np.lexsort(model.means_.T[::-1])
    arrays = {"means": model.means_[order], "scales": scales[order], "offsets": offsets[order]}
    scores = component_scores(rows, **arrays)
    surest = -np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1))  # log posterior of the best
    bic = float(model.bic(rows))
    rule = Rule("highest_posterior", {**arrays, "labels": np.arange(len(order), dtype="int32")})
    return finish(rule, X, {"bic": bic, "icl": bic - 2 * float(surest.sum())})
