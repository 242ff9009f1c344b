"""What the feature build costs: CPU, wall and peak memory, beside hand-tuned SQL on the same lines.

Every measurement runs in a process of its own, in turn with the others, and the cheapest of its repeats counts, since
other work on the machine only ever adds. Run from the project's root::

    python benchmarks/feature_build.py                                        # the embedded orders only
    python benchmarks/feature_build.py --data 'o1m/*.parquet' 'o10m/*.parquet' --peer features_sql.py \\
        --lifetimes lifetimes-venv/bin/python --pandas

Generated lines have the columns customer_id, order_id, order_ts, product_id, category, quantity, unit_price, discount
(a rate) and channel; all their days are in the window, as they are for the peer. The peer is a script that takes
``--data GLOB --variant NAME`` and ends by printing JSON with ``cpu`` and ``wall`` in seconds and ``rss_mb``. For
recency, frequency and monetary value alone there is ``lifetimes``, in an environment of its own since it needs
pandas 2; `IN_PANDAS` is what the first ten features look like in a notebook.
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

RFM = ["spend", "order_count", "days_since_last_order"]
MEASURED = """
import glob, json, resource, sys, time
import pandas as pd
start, lines = time.perf_counter(), pd.concat(map(pd.read_parquet, sorted(glob.glob(sys.argv[1]))), ignore_index=True)
{work}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"cpu": used.ru_utime + used.ru_stime, "wall": time.perf_counter() - start,
                  "rss_mb": used.ru_maxrss // 1024, "customers": len(made), "features": made.shape[1]}}))
"""
IN_LIFETIMES = MEASURED.format(
    work="""
from lifetimes.utils import summary_data_from_transaction_data
lines["amount"] = lines["quantity"] * lines["unit_price"] * (1 - lines["discount"])
made = summary_data_from_transaction_data(lines, "customer_id", "order_ts", "amount")
"""
)
IN_PANDAS = MEASURED.format(
    work="""
lines["amount"] = lines["quantity"] * lines["unit_price"] * (1 - lines["discount"])
orders = lines.groupby(["customer_id", "order_id"]).agg(at=("order_ts", "min"), amount=("amount", "sum"),
    lines=("amount", "size"), products=("product_id", "nunique"), channel=("channel", "first")).reset_index()
orders["gap"] = orders.sort_values("at").groupby("customer_id")["at"].diff().dt.days
orders["weekend"] = orders["at"].dt.dayofweek >= 5
made = orders.groupby("customer_id").agg(spend=("amount", "sum"), orders=("order_id", "size"), last=("at", "max"),
    first=("at", "min"), gap=("gap", "mean"), gap_sd=("gap", "std"), weekend=("weekend", "mean"),
    lines=("lines", "mean"), products=("products", "mean"))
spent = lines.pivot_table("amount", "customer_id", "category", "sum", fill_value=0)
made = made.join(spent.div(spent.sum(axis=1), axis=0)).join(lines.groupby("customer_id")["product_id"].nunique())
"""
)

# What the peer has nothing like; without them both build 33 features or so.
NOT_IN_PEER = {"largest_order_value", "products_per_order", "repeat_product_share", "relative_price", "spend_slope"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", nargs="*", default=[], metavar="GLOB", help="parquet files of generated lines")
    options.add_argument("--peer", metavar="SCRIPT", help="the script to compare with")
    options.add_argument("--variants", nargs="*", default=["twostage", "scan_cd"], help="of the peer; the first counts")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--lifetimes", metavar="PYTHON", help="of an environment with lifetimes and pandas 2")
    options.add_argument("--pandas", action="store_true", help="beside what a notebook does in pandas")
    options.add_argument("--memory", metavar="SIZE", help="limit of the engine, such as 2GB")
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "feature_build.csv")
    options.add_argument("--build", nargs="+", metavar="CARD AS_OF WINDOW_DAYS RECIPE", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.build:
        print(json.dumps(build_features(*given.build, memory=given.memory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = measure(given, Path(folder))
    table.to_csv(given.out, index=False)
    print(table.to_string(index=False))
    print("\n".join(summarise(table, given.variants[0])))


def build_features(card: str, as_of: str, window_days: str, recipe: str = "", memory: str | None = None) -> dict:
    """Return what reading the orders and building their features cost in this process, and the recipe."""
    from segkit import customer_features, read_orders
    from segkit.clustering.rfm import fit_rfm
    from segkit.data.cards.card import read_card

    started = _clock()
    orders = read_orders(read_card(card), date.fromisoformat(as_of), memory=memory)
    read = _clock()
    chosen = json.loads(Path(recipe).read_text()) if recipe else None
    made = customer_features(orders, date.fromisoformat(as_of), int(window_days), chosen)
    if chosen and chosen["features"] == RFM:
        fit_rfm(made.table).assign(made.table)
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
        if glob:
            commands["segkit, RFM"] = [*commands["segkit"], str(folder / f"{name}-rfm.json")]
        if given.memory:
            commands[f"segkit, {given.memory}"] = [*commands["segkit"], "--memory", given.memory]
        if glob and given.lifetimes:
            commands["lifetimes, RFM"] = [given.lifetimes, "-W", "ignore", "-c", IN_LIFETIMES, glob]
        if glob and given.pandas:
            commands["pandas"] = ["-c", IN_PANDAS, glob]
        found = {what: [] for what in commands}
        for _ in range(given.repeats):
            for what, command in commands.items():
                found[what].append(_run(command, folder))
                if what == "segkit":
                    recipe = found[what][-1]["recipe"]
                    recipe["features"] = [name for name in recipe["features"] if name not in NOT_IN_PEER]
                    (folder / f"{name}.json").write_text(json.dumps(recipe))
                    (folder / f"{name}-rfm.json").write_text(json.dumps(recipe | {"features": RFM}))
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
    for one, other in (("lifetimes, RFM", "segkit, RFM"), ("pandas", "segkit"), ("segkit", "scan_cd")):
        if {one, other} <= set(cpu):
            said += [f"{row['data']}: {one} takes {row[one] / row[other]:.1f} times the CPU of {other}"
                     for _, row in cpu.dropna(subset=[one, other]).iterrows()]  # fmt: skip
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
    command = command if command[0].endswith("python") else [sys.executable, *command]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    for file in (folder / "data").glob("*.parquet"):
        file.unlink()  # what the peer wrote
    return json.loads(ended.stdout.strip().splitlines()[-1])


def _clock() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, time.perf_counter()


if __name__ == "__main__":
    main()
