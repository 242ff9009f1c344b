"""What `segkit report` costs step by step: CPU seconds, wall time and peak memory of all its processes together.

    python benchmarks/whole_report.py o1m.toml o10m.toml o100m.toml --month 2024-12 --memory 6GB

Processor time and memory are read from the processes every quarter of a second. Memory is what they hold for
themselves: pages that two of them share count once. Each card gets runs of its own in a temporary folder; what earlier
runs kept is used unless ``--fresh`` moves it out of the way, which shows the cost of a first run.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("cards", nargs="+", metavar="CARD")
    options.add_argument("--month", required=True)
    options.add_argument("--memory", nargs="*", default=[""], metavar="SIZE", help="limits to try, one run each")
    options.add_argument("--fresh", action="store_true", help="without what earlier runs have kept")
    options.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "whole_report.csv")
    given = options.parse_args()
    tables = [run_report(card, given.month, limit, given.fresh) for card in given.cards for limit in given.memory]
    table = pd.concat(tables, ignore_index=True)
    table.to_csv(given.out, index=False)
    print(table.to_string(index=False))


def run_report(card: str, month: str, limit: str, fresh: bool) -> pd.DataFrame:
    """Return card, limit, lines, customers, step, cpu, wall, peak_mb: a row per step as it ends, and one of all."""
    kept, aside = ROOT / "data" / ".cache", ROOT / "data" / ".cache-aside"
    if fresh and kept.exists():
        kept.rename(aside)
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "segkit", "report", card, "--month", month, "--out", folder]
            rows = _watch(command + (["--memory", limit] if limit else []))
            record = json.loads(next(Path(folder).glob("*/*/run.json")).read_text())
            candidates = pd.read_parquet(next(Path(folder).glob("*/*/tables/candidates.parquet")))
    finally:
        if aside.exists():
            kept.rename(ROOT / "data" / ".cache-benchmark") if kept.exists() else None
            aside.rename(kept)
    about = {"card": Path(card).stem, "limit": limit, "lines": record["rows"]["kept"]}
    return pd.DataFrame(rows).assign(**about, customers=int(candidates["customers"].iloc[0]))


def _watch(command: list[str]) -> list[dict]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    meter = _Meter(process.pid)
    rows, step, last = [], "starting", meter.read()
    for line in process.stdout:
        if found := re.match(
            r" *\d+:\d\d  (\S.*)", line
        ):  # a step begins, and the one before it ended; indented: how far
            now = meter.read()
            rows.append(_row(step.split(" kmeans")[0], last, now))
            print(*rows[-1].values(), sep="  ", flush=True)
            step, last = found[1], now
    if process.wait():
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    end = meter.stop()
    rows.append(_row(step, last, end))
    peak = max(row["peak_mb"] for row in rows)
    return [*rows, {"step": "all", "cpu": round(end[0], 1), "wall": round(end[1], 1), "peak_mb": peak}]


def _row(step: str, before: tuple, now: tuple) -> dict:
    return {"step": step, "cpu": round(now[0] - before[0], 1), "wall": round(now[1] - before[1], 1), "peak_mb": now[2]}


class _Meter:
    """CPU seconds and peak memory of a process and all that it starts."""

    def __init__(self, process: int):
        self.root, self.start = psutil.Process(process), time.perf_counter()
        self.seconds, self.peak, self.ended = {}, 0, threading.Event()
        self.thread = threading.Thread(target=self._measure)
        self.thread.start()

    def read(self) -> tuple[float, float, int]:
        """Return CPU seconds and wall time since the start, and the peak since it was last read, in MB."""
        peak, self.peak = self.peak, 0
        return sum(self.seconds.values()), time.perf_counter() - self.start, round(peak / 10**6)

    def stop(self) -> tuple[float, float, int]:
        self.ended.set()
        self.thread.join()
        return self.read()

    def _measure(self) -> None:
        while not self.ended.wait(0.25):
            held = 0
            try:
                processes = [self.root, *self.root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in processes:
                try:
                    used, memory = process.cpu_times(), process.memory_info()
                except psutil.NoSuchProcess:
                    continue
                self.seconds[process.pid] = used.user + used.system
                held += memory.rss - memory.shared
            self.peak = max(self.peak, held)


if __name__ == "__main__":
    main()
