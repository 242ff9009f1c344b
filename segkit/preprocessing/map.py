"""Where customers lie on a map: alike ones close together."""

import warnings

import numpy as np

NEIGHBOURS = 30


def lay_out(X: np.ndarray, seed: int) -> np.ndarray:
    """Return a place in the plane for each row of the matrix, shape (n, 2), by UMAP (McInnes, Healy & Melville 2018).

    Neighbours are exact: for as few customers as a map shows that is sooner done than compiling the search for
    approximate ones, which each process would do anew. What still has to be compiled is kept between processes.

    Examples
    --------
    >>> lay_out(np.random.default_rng(0).normal(size=(60, 3)), seed=0).shape
    (60, 2)
    """
    from sklearn.neighbors import NearestNeighbors
    from umap import UMAP, layouts, umap_

    for module, name in (
        (umap_, "smooth_knn_dist"),
        (umap_, "compute_membership_strengths"),
        (layouts, "_nb_optimize_layout_euclidean_single_epoch"),
    ):
        if hasattr(compiled := getattr(module, name, None), "enable_caching"):
            compiled.enable_caching()
    count = min(NEIGHBOURS, len(X) - 1)
    distances, neighbours = NearestNeighbors(n_neighbors=count).fit(X).kneighbors(X)
    mapper = UMAP(
        n_neighbors=count, min_dist=0.3, random_state=seed, n_jobs=1, force_approximation_algorithm=True,
        precomputed_knn=(neighbours, distances.astype("float32"), None),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn", UserWarning)  # nobody else will be put on this map
        return mapper.fit_transform(X)
