"""The picture of cost against size in the README, from what the other benchmarks wrote.

python benchmarks/plot_scale.py            # writes docs/scale.png, and prints how cost grows with size
"""

import math
from pathlib import Path

import pandas as pd

from segkit.plots.style import ACCENT, QUIET, panels, spread_apart, use_style

ROOT = Path(__file__).resolve().parents[1]
BUILT = {"segkit": "segkit", "twostage": "SQL by hand", "scan_cd": "bare count"}
COMPARED = ["candidates and criteria", "gap", "stability"]  # steps that both do
NAMES = {"segkit": "segkit", "peer": "usual notebook (loops multiplied)"}


def main() -> None:
    """Draw CPU seconds of the feature build against lines, and of the comparison against customers."""
    import matplotlib

    matplotlib.use("agg")
    use_style()
    figure, axes = panels(2, 2, height=3.4, width=9.2)
    built = pd.read_csv(ROOT / "benchmarks" / "feature_build.csv")
    built = built[built["data"] != "complete-journey"].sort_values("lines")
    features = {name: built[built["what"] == what].set_index("lines")["cpu"] for what, name in BUILT.items()}
    _panel(axes[0], features, "Features of all customers", "order lines")
    compared = pd.read_csv(ROOT / "benchmarks" / "comparison.csv")
    compared = compared[compared["step"].isin(COMPARED)]
    comparison = {name: _total(compared[compared["who"] == who]) for who, name in NAMES.items()}
    _panel(axes[1], comparison, "Candidates, gap and resamples", "customers")
    figure.savefig(ROOT / "docs" / "scale.png", dpi=110)


def _total(rows: pd.DataFrame) -> pd.Series:
    """Return CPU seconds by number of customers, of the sizes at which every step ended."""
    ended = rows.assign(cost=rows["cpu"] * rows["times"]).pivot_table("cost", "customers", "what", aggfunc="sum")
    return ended.dropna().sum(axis=1)


def _panel(ax, lines: dict[str, pd.Series], title: str, what: str) -> None:
    ends = spread_apart([math.log10(cost.iloc[-1]) for cost in lines.values()], 0.22)
    for (name, cost), end in zip(lines.items(), ends, strict=True):
        own = name == "segkit"
        colour = ACCENT if own else QUIET
        ax.plot(cost.index, cost, marker="o", markersize=4, color=colour, linewidth=2.4 if own else 1.4)
        ax.annotate(
            name, (cost.index[-1], 10**end), xytext=(8, 0), textcoords="offset points", ha="left", va="center",
            color=colour, fontsize=10, fontweight="bold" if own else "normal", annotation_clip=False,
        )  # fmt: skip
        for (small, before), (large, after) in zip(list(cost.items()), list(cost.items())[1:], strict=False):
            power = math.log(after / before) / math.log(large / small)
            print(f"{title}, {name}: {small:,} to {large:,} {what}, CPU to the power {power:.2f}")
    ax.set(xscale="log", yscale="log", title=title, xlabel=what, ylabel="CPU seconds")
    ax.set_xticks(sorted({size for cost in lines.values() for size in cost.index}), minor=False)
    ax.set_ylim(10 ** math.floor(math.log10(ax.get_ylim()[0])))
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(lambda size, _: f"{float(f'{size / 1e6:.1g}'):g} M" if size >= 1e6 else f"{size:,.0f}")
    ax.yaxis.set_major_formatter(lambda seconds, _: f"{seconds:,g}")
    ax.grid(axis="y")


if __name__ == "__main__":
    main()
