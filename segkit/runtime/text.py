"""How a figure reads: numbers, money, shares, intervals."""

import numpy as np
import pandas as pd

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number_word(number: int) -> str:
    """Return small numbers as words.

    Examples
    --------
    >>> number_word(3), number_word(40)
    ('three', '40')
    """
    return NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"


def money(amount: float, currency: str = "") -> str:
    """Return an amount without small coins, with its currency.

    Examples
    --------
    >>> money(8832003.27, "GBP")
    '8,832,003 GBP'
    """
    return f"{amount:,.0f} {currency}".strip()


def percent(share: float, decimals: int = 1) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> percent(0.254), percent(0.254, 0)
    ('25.4 %', '25 %')
    """
    return f"{100 * share:.{decimals}f} %"


def with_interval(figure: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """Return a figure with its interval, with as many digits as a reader needs; ``unknown`` where it is missing.

    Examples
    --------
    >>> with_interval(0.3479, 0.3289, 0.3667), with_interval(1451260.0, 1402420.0, 1500099.0), with_interval(851.0)
    ('0.35 [0.33, 0.37]', '1,451,260 [1,402,420, 1,500,099]', '851')
    """
    if figure != figure:  # the only number unlike itself: not a number
        return "unknown"
    if low != low:
        return _brief(figure)
    return f"{_brief(figure)} [{_brief(low)}, {_brief(high)}]"


def _brief(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.2f}"


def rounded(table: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """Return a table with its figures rounded, and no minus before a zero.

    Examples
    --------
    >>> rounded(pd.DataFrame({"segments": [7, 2], "silhouette": [-0.0004, 0.2512]}), 3)
       segments  silhouette
    0         7       0.000
    1         2       0.251
    """
    return table.assign(**(table.select_dtypes("number").round(decimals) + 0))


def show_intervals(table: pd.DataFrame, decimals: int = 2) -> pd.DataFrame:
    """Return a table whose figures have the ends of their intervals beside them (``_low, _high``) as one text each.

    Examples
    --------
    >>> ends = {"skill_low": [0.66, None], "skill_high": [0.741, None]}
    >>> show_intervals(pd.DataFrame({"segments": [7, 3], "skill": [0.7, 0.5]} | ends))
       segments              skill
    0         7  0.70 [0.66, 0.74]
    1         3               0.50
    """

    def told(figure: float, low: float, high: float) -> str:
        figure, low, high = (f"{number + 0.0:.{decimals}f}" for number in np.round((figure, low, high), decimals))
        return "" if figure == "nan" else figure if low == "nan" else f"{figure} [{low}, {high}]"

    shown = table.copy()
    for name in [name for name in table if {f"{name}_low", f"{name}_high"} <= set(table)]:
        rows = table[[name, f"{name}_low", f"{name}_high"]].astype("float64").to_numpy()
        shown[name] = pd.Series([told(*row) for row in rows], index=table.index, dtype="str")
        shown = shown.drop(columns=[f"{name}_low", f"{name}_high"])
    return shown
