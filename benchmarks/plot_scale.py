"""The picture of cost against size in the README, from what the other benchmarks wrote.

python benchmarks/plot_scale.py            # writes docs/scale.png
"""

import math
from pathlib import Path

import pandas as pd

from segkit.plots import use_style
from segkit.plots.style import ACCENT, QUIET, panels

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Draw CPU seconds of the feature build against lines, and of the comparison against customers."""
    import matplotlib

    matplotlib.use("agg")
    use_style()
    figure, (features, comparison) = panels(2, 2, height=3.2, width=8.4)
    built = pd.read_csv(ROOT / "benchmarks" / "feature_build.csv")
    built = built[built["data"] != "complete-journey"].sort_values("lines")
    names = {"twostage": "SQL by hand", "scan_cd": "bare count"}
    for what, rows in built.groupby("what"):
        if what in ("segkit", *names):
            _line(features, rows["lines"], rows["cpu"], names.get(what, what))
    _finish(features, "Features of all customers", "order lines")
    compared = pd.read_csv(ROOT / "benchmarks" / "comparison.csv")
    compared = compared[compared["step"] != "sample"].assign(cost=lambda rows: rows["cpu"] * rows["times"])
    everywhere = compared.groupby("what")["customers"].transform("nunique") == compared["customers"].nunique()
    for who, rows in compared[everywhere & compared["cpu"].notna()].groupby("who"):
        total = rows.groupby("customers")["cost"].sum()
        _line(comparison, total.index, total, {"peer": "notebook"}.get(who, who))
    _finish(comparison, "Comparing segmentations", "customers")
    figure.savefig(ROOT / "docs" / "scale.png", dpi=110)


def _line(ax, sizes, cost, name: str) -> None:
    own = name == "segkit"
    colour = ACCENT if own else QUIET
    ax.plot(sizes, cost, marker="o", markersize=4, color=colour, linewidth=2.4 if own else 1.4)
    ax.annotate(
        name, (list(sizes)[-1], list(cost)[-1]), xytext=(7, 0), textcoords="offset points", ha="left", va="center",
        color=colour, fontsize=10, fontweight="bold" if own else "normal",
    )  # fmt: skip


def _finish(ax, title: str, what: str) -> None:
    ax.set(xscale="log", yscale="log", title=title, xlabel=what, ylabel="CPU seconds")
    ax.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    ax.yaxis.set_minor_formatter(lambda *_: "")
    ax.xaxis.set_major_formatter(lambda size, _: f"{size / 1e6:g} M" if size >= 1e6 else f"{size:,.0f}")
    low, high = ax.get_xlim()
    ax.set_xlim(low, high * 10 ** (0.4 * math.log10(high / low)))  # room for the names
    ax.grid(axis="y")


if __name__ == "__main__":
    main()
