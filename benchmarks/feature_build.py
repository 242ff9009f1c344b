"""What the feature build costs: CPU, wall and peak memory, beside hand-tuned SQL on the same lines.

Every measurement runs in a process of its own, in turn with the others, and the cheapest of its repeats counts, since
other work on the machine only ever adds. Run from the project's root::

    python benchmarks/feature_build.py                                        # the embedded orders only
    python benchmarks/feature_build.py --data 'o1m/*.parquet' 'o10m/*.parquet' --peer features_sql.py

Generated lines have the columns customer_id, order_id, order_ts, product_id, category, quantity, unit_price, discount
(a rate) and channel; all their days are in the window, as they are for the peer. The peer is a script that takes
``--data GLOB --variant NAME`` and ends by printing JSON with ``cpu`` and ``wall`` in seconds and ``rss_mb``.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
CARD = """
title = "Generated order lines"
currency = "EUR"
[orders]
source = "{glob}"
[orders.columns]
customer_id = "customer_id"
order_id = "order_id"
ordered_at = "order_ts"
product_id = "product_id"
quantity = "quantity"
amount = {{ sql = "quantity * unit_price * (1 - discount)" }}
discount = {{ sql = "abs(quantity) * unit_price * discount" }}
is_return = {{ sql = "quantity < 0" }}
category = "category"
channel = "channel"
"""

# What the peer has nothing like; without them both build 33 features or so.
NOT_IN_PEER = {"largest_order_value", "products_per_order", "repeat_product_share", "relative_price", "spend_slope"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", nargs="*", default=[], metavar="GLOB", help="parquet files of generated lines")
    options.add_argument("--peer", metavar="SCRIPT", help="the script to compare with")
    options.add_argument("--variants", nargs="*", default=["twostage", "scan_cd"], help="of the peer; the first counts")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "feature_build.csv")
    options.add_argument("--build", nargs="+", metavar="CARD AS_OF WINDOW_DAYS RECIPE", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.build:
        print(json.dumps(build_features(*given.build)))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = measure(given, Path(folder))
    table.to_csv(given.out, index=False)
    print(table.to_string(index=False))
    print("\n".join(summarise(table, given.variants[0])))


def build_features(card: str, as_of: str, window_days: str, recipe: str = "") -> dict:
    """Return what reading the orders and building their features cost in this process, and the recipe."""
    from segkit import customer_features, read_orders
    from segkit.cards import read_card

    started = _clock()
    orders = read_orders(read_card(card), date.fromisoformat(as_of))
    read = _clock()
    chosen = json.loads(Path(recipe).read_text()) if recipe else None
    made = customer_features(orders, date.fromisoformat(as_of), int(window_days), chosen)
    built = _clock()
    lines = int(orders.ledger.set_index("reason")["rows"].reindex(["sale", "return"]).sum())
    return {
        "lines": lines,
        "customers": len(made.table),
        "features": made.table.shape[1],
        "cpu": built[0] - read[0],
        "wall": built[1] - read[1],
        "read_cpu": read[0] - started[0],
        "recipe": made.recipe,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def measure(given: argparse.Namespace, folder: Path) -> pd.DataFrame:
    """Return the cheapest of the repeats of every measurement, one row each."""
    (folder / "data").mkdir()
    rows = []
    for name, card, as_of, window_days, glob in [
        ("complete-journey", "complete-journey", "2017-12-31", 365, ""),
        *(_generated(glob, folder) for glob in given.data),
    ]:
        commands = {"segkit": [__file__, "--build", card, as_of, str(window_days)]}
        if glob and given.peer:
            commands["segkit, features of the peer"] = [*commands["segkit"], str(folder / f"{name}.json")]
            for variant in given.variants:
                commands[variant] = [str(Path(given.peer).resolve()), "--data", glob, "--variant", variant]
        found = {what: [] for what in commands}
        for _ in range(given.repeats):
            for what, command in commands.items():
                found[what].append(_run(command, folder))
                if what == "segkit":
                    recipe = found[what][-1]["recipe"]
                    recipe["features"] = [name for name in recipe["features"] if name not in NOT_IN_PEER]
                    (folder / f"{name}.json").write_text(json.dumps(recipe))
        for what, runs in found.items():
            best = min(runs, key=lambda run: run["cpu"])
            row = {"data": name, "what": what, "lines": found["segkit"][0]["lines"]}
            row |= {key: best.get(key) for key in ("customers", "features", "cpu", "read_cpu")}
            rows.append(row | {"wall": min(run["wall"] for run in runs), "rss_mb": min(run["rss_mb"] for run in runs)})
    table = pd.DataFrame(rows).round({"cpu": 2, "read_cpu": 2, "wall": 2})
    return table.astype({"customers": "Int64", "features": "Int64", "rss_mb": int})


def summarise(table: pd.DataFrame, peer: str) -> list[str]:
    """Return the ratio to the peer for each dataset, and how cost grows between the smallest and the largest."""
    cpu = table.pivot_table("cpu", ["lines", "data"], "what").reset_index()
    said = []
    if peer in cpu:
        compared = cpu.dropna(subset=[peer])
        said += [
            f"{row['data']}: {row[what] / row[peer]:.2f} times the CPU of {peer} ({what})"
            for _, row in compared.iterrows()
            for what in ("segkit", "segkit, features of the peer")
        ]
        if len(compared) > 1:
            small, large = compared.iloc[0], compared.iloc[-1]
            lines = math.log(large["lines"] / small["lines"])
            for what in ("segkit", peer):
                said.append(
                    f"{what}: CPU grows with lines to the power {math.log(large[what] / small[what]) / lines:.2f}"
                )
    return said


def _generated(glob: str, folder: Path) -> tuple[str, str, str, int, str]:
    """Write a card for generated lines; return its name, path, last day and days."""
    import duckdb

    name = Path(glob).parent.name
    with duckdb.connect() as engine:
        first, last = engine.execute(
            "SELECT min(order_ts)::DATE, max(order_ts)::DATE FROM read_parquet(?)", [glob]
        ).fetchone()
    card = folder / f"{name}.toml"
    card.write_text(CARD.format(glob=Path(glob).absolute()))
    return name, str(card), last.isoformat(), (last - first).days + 1, str(Path(glob).absolute())


def _run(command: list[str], folder: Path) -> dict:
    ended = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=True)
    for file in (folder / "data").glob("*.parquet"):
        file.unlink()  # what the peer wrote
    return json.loads(ended.stdout.strip().splitlines()[-1])


def _clock() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, time.perf_counter()


if __name__ == "__main__":
    main()
