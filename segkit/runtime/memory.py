"""How much memory segkit may take: kept by the engine and by the number of processes, or refused beforehand.

The command line's ``--memory`` sets it for the run and its notebooks, `SEGKIT_MEMORY` in the environment for everything
else, such as an analyst's own kernel. Nothing that is computed depends on it.
"""

import os
import re
from math import ceil

from segkit.runtime.disk import shortened
from segkit.runtime.errors import InputError

VARIABLE = "SEGKIT_MEMORY"
_ENGINES = "SEGKIT_ENGINES"  # side by side
GB = 10**9
LEAST = 1.4 * GB  # Python, its libraries and two processes beside, before the first customer
PER_COMPARED = 15_000  # bytes of a customer that candidates are fitted on, in three processes, and of the orders held
COMPARED = 50_000  # customers that candidates are fitted on at most
PER_CUSTOMER = 1_850  # bytes: some fifty features, in the process of the run and in those of two notebooks
ENGINE_SHARE = 0.4  # of the limit; the rest is for the tables of customers and the fits
LEAST_SHARE = 0.3  # of a small limit, so that tables and fits have what they need
_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": GB, "t": 10**12}
_UNITS |= {f"{unit}b": size for unit, size in _UNITS.items() if size > 1}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def read_memory(text: str) -> int:
    """Return an amount of memory in bytes.

    Examples
    --------
    >>> read_memory("4GB"), read_memory("1.5 g"), read_memory("512 MiB")
    (4000000000, 1500000000, 536870912)
    >>> read_memory("plenty")
    Traceback (most recent call last):
    segkit.InputError: memory 'plenty' is not an amount; for example 4GB
    """
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    if not found or found[2].lower() not in _UNITS:
        raise InputError(f"memory {shortened(text)!r} is not an amount; for example 4GB")
    return round(float(found[1]) * _UNITS[found[2].lower()])


def limit_memory(text: str) -> str:
    """Limit this process and those that it starts to `text`, such as ``4GB``; refused where that can't be enough.

    Returns a warning where the machine has less than that, else "".
    """
    import psutil

    limit, there = read_memory(text), psutil.virtual_memory().total
    if limit < LEAST:
        meant = f" ({text} is {limit:,} bytes; write {text}GB)" if text.strip().isdigit() else ""
        needed = f"{_amount(LEAST)} are needed before the first customer is read"
        raise InputError(f"memory {text} is too little{meant}: {needed}")
    os.environ[VARIABLE] = text
    return f"memory {text} limits nothing: this machine has {_amount(there)}" if limit > there else ""


def share_engine_memory(processes: int) -> None:
    """Let the engine of this process take only its part of what is left to `processes` that run side by side."""
    os.environ[_ENGINES] = str(processes)


def engine_memory() -> str | None:
    """Return the limit of the engine as it reads it; None where nobody set one.

    Examples
    --------
    >>> for limit in ("2GB", "6GB"):
    ...     os.environ[VARIABLE] = limit
    ...     engine_memory()
    '600MB'
    '2400MB'
    >>> del os.environ[VARIABLE]
    """
    if not (text := os.environ.get(VARIABLE, "")):
        return None
    limit = read_memory(text)
    share = min(ENGINE_SHARE * limit, max(LEAST_SHARE * limit, limit - LEAST)) / int(os.environ.get(_ENGINES, "1"))
    return f"{int(share / 10**6)}MB"


def needed_memory(customers: int) -> int:
    """Return the bytes that a report on so many customers takes, order lines of any number.

    Examples
    --------
    >>> needed_memory(1_000_000) / GB
    4.0
    """
    return int(LEAST + min(customers, COMPARED) * PER_COMPARED + customers * PER_CUSTOMER)


def check_memory(customers: int) -> None:
    """Refuse a limit that can't hold so many customers; the message says what would be needed.

    Examples
    --------
    >>> os.environ[VARIABLE] = "2GB"
    >>> check_memory(1_000_000)
    Traceback (most recent call last):
    segkit.InputError: 1,000,000 customers need about 4 GB of memory, and the limit is 2GB: raise it ...
    >>> del os.environ[VARIABLE]
    """
    limit, needed = os.environ.get(VARIABLE, ""), needed_memory(customers)
    if limit and read_memory(limit) < needed:
        enough = _amount(needed)
        raise InputError(
            f"{customers:,} customers need about {enough} of memory, and the limit is {limit}: raise it "
            f"(--memory {enough.replace(' ', '')}, or {VARIABLE} in the environment), or count fewer customers with a "
            "shorter window_days"
        )


def _amount(size: float) -> str:
    return f"{ceil(size / 10**7) / 100:.12g} GB"  # rounded up, so that what is printed is enough
