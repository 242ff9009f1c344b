"""Random draws that anybody can repeat: by purpose, and by customer."""

import hashlib
import zlib

import numpy as np
import pandas as pd


def stream(seed: int, *names: int | str) -> np.random.Generator:
    """Return a generator for one purpose: the same names give the same draws, whatever else is drawn.

    Examples
    --------
    >>> stream(0, "halves", 3).integers(100) == stream(0, "halves", 3).integers(100)
    np.True_
    """
    return np.random.default_rng([seed, *(zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)])


def sample_rows(n: int, limit: int, seed: int) -> np.ndarray:
    """Return all rows, or a seeded sample of `limit` of them in their order."""
    if n <= limit:
        return np.arange(n)
    return np.sort(stream(seed, "sample").permutation(n)[:limit])


def two_halves(n: int, seed: int, *purpose: int | str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two halves of the customers, the same for the same purpose."""
    order = stream(seed, "halves", *purpose).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def hash_ids(customer_ids: pd.Index) -> np.ndarray:
    """Return a stable 64-bit number per customer id, whatever the order, process or machine."""
    texts = customer_ids.astype(str).to_numpy(dtype=object)
    return pd.util.hash_array(texts, hash_key="segkit-customers", categorize=False)


def sample_customers(customer_ids: pd.Index, most: int) -> pd.Index:
    """Return at most so many customers, in their order, always the same ones: those with the least hashes of the id.

    A smaller sample is part of a larger one.

    Examples
    --------
    >>> everybody = pd.Index([f"c{number}" for number in range(9)])
    >>> sample_customers(everybody, 4).isin(sample_customers(everybody, 6)).all()
    np.True_
    """
    if len(customer_ids) <= most:
        return customer_ids
    return customer_ids[np.sort(np.argsort(hash_ids(customer_ids), kind="stable")[:most])]


def keyed_uniform(id_hashes: np.ndarray, seed: int, column: str) -> np.ndarray:
    """Return uniform noise in (0, 1), one per customer, a function of customer, seed and column alone.

    The customer's hash plus the column's key, mixed by SplitMix64 (Steele, Lea & Flood 2014).

    Examples
    --------
    >>> keyed_uniform(hash_ids(pd.Index(["12346", "12347"])), seed=0, column="spend").round(3).tolist()
    [0.573, 0.21]
    """
    key = hashlib.blake2b(f"{seed}/{column}".encode(), digest_size=8).digest()
    mixed = id_hashes + np.uint64(int.from_bytes(key, "big"))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(11)).astype("float64") + 0.5) * 2.0**-53
