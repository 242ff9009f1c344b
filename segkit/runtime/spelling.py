"""The known name that is nearest to a misspelt one."""

from difflib import get_close_matches

from segkit.runtime.text import quote

__all__ = ["nearest", "quote"]


def nearest(name: str, known) -> str:
    """Return ``; did you mean `x`?``, or nothing where no known name is close.

    Examples
    --------
    >>> nearest("custmer_id", ["customer_id", "order_id"])
    '; did you mean `customer_id`?'
    """
    by_lower = {str(one).lower(): str(one) for one in known}
    close = get_close_matches(str(name).lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean `{by_lower[close[0]]}`?" if close else ""
