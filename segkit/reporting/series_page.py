"""The series page: sizes, revenue and moves over all finished months of a dataset in one view."""

import os
from pathlib import Path

import pandas as pd

from segkit.monitoring.lasting_names import told_apart
from segkit.monitoring.month_sentences import tell_events
from segkit.reporting.blocks.block import Block, answer, figure_block, key_figures, render, sentence, title
from segkit.reporting.blocks.page import page_html
from segkit.reporting.blocks.page_table import page_table
from segkit.reporting.finished_runs import FinishedMonth, finished_months, stale_months
from segkit.runtime.privacy import FEWEST_SHOWN
from segkit.runtime.tables.files import read_table
from segkit.runtime.text import money, number_word, percent


def write_series(shelf: Path, dataset: str, currency: str = "") -> Path | None:
    """Write ``index.html`` over the finished months in `shelf`, and return its path; None where there is none.

    Parameters
    ----------
    shelf : path
        ``<out>/<dataset>/``.
    dataset : str
        Its title.
    currency : str
    """
    months = finished_months(shelf)
    if not months:
        return None
    page = shelf / "index.html"
    beside = shelf / f".{page.name}-{os.getpid()}"
    body = "\n".join(block.html for block in _blocks(months, dataset, currency))
    beside.write_text(page_html(f"{dataset}, month by month", body), encoding="utf-8")
    beside.replace(page)
    return page


def series_of(months: list[FinishedMonth]) -> pd.DataFrame:
    """Return the segments of all months: ``month, segment_id, segment, customers, customer_share, revenue, ...``."""
    tables = [read_table(month.folder / "tables" / "segments.parquet").assign(month=month.label) for month in months]
    columns = ["month", "segment_id", "segment", "customers", "customer_share", "revenue", "revenue_share"]
    return pd.concat([table[columns] for table in tables], ignore_index=True)


def flows_of(months: list[FinishedMonth]) -> pd.DataFrame:
    """Return the moves between months that follow each other, as `plot_migrations` takes them."""
    tables = []
    for before, month in zip(months, months[1:], strict=False):
        path = month.folder / "tables" / "migrations.parquet"
        if month.previous and month.previous["month"] == before.label and path.exists():
            tables.append(read_table(path).assign(from_month=before.label, to_month=month.label))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _blocks(months: list[FinishedMonth], dataset: str, currency: str) -> list[Block]:
    series, stale = series_of(months), stale_months(months)
    names = told_apart(series.drop_duplicates("segment_id", keep="last").set_index("segment_id")["segment"].to_dict())
    first, last = months[0].label, months[-1].label
    warnings = tuple(f"{label} is stale: {why}." for label, why in stale.items())
    return [
        title(dataset, f"{first} to {last}" if first != last else first),
        answer(_headline(series), _models(months), warnings),
        key_figures(_facts(months, series, currency)),
        _heading(f"The segments in {last}"),
        _segments_now(series, currency),
        *_figures(months, series, names),
        _heading("Month by month"),
        sentence("Each month links to its report."),
        _month_table(months, series, stale, currency),
    ]


def _heading(text: str) -> Block:
    return Block(render("heading", text=text), text)


def _headline(series: pd.DataFrame) -> str:
    counted = series[series["segment_id"] != "S0"]
    months = counted["month"].nunique()
    lasting = counted.groupby("segment_id")["month"].nunique()
    now = counted[counted["month"] == counted["month"].iloc[-1]]
    count = number_word(len(now)).capitalize()
    if months == 1:
        largest = now.sort_values("customers", ascending=False, kind="stable").iloc[0]
        share = percent(largest["customer_share"], 0)
        return f"{count} segments; the largest, {largest['segment']}, is {share} of customers."
    through = int((lasting == months).sum())
    span = "both months" if months == 2 else f"all {number_word(months)} months"
    return (
        f"{count} segments now; {'all' if through == len(now) else number_word(through)} of them "
        f"{'has' if through == 1 else 'have'} lasted through {span}."
    )


def _models(months: list[FinishedMonth]) -> str:
    fitted = [month.label for month in months if month.record["months"]["way"] == "refit"]
    if len(months) == 1:
        return "This is the first month. The next one will show here who moved from one segment to another."
    if len(fitted) == len(months):
        return "The segments were found anew in every month, and matched with those of the month before."
    kept = "the other months kept the model, so a customer who changes segment has changed"
    return f"The segments were found in {', '.join(fitted)}; {kept}."


def _facts(months: list[FinishedMonth], series: pd.DataFrame, currency: str) -> dict[str, str]:
    last = series[series["month"] == months[-1].label]
    facts = {"months": f"{len(months)}"} if len(months) > 1 else {}
    facts[f"customers in {months[-1].label}"] = f"{last['customers'].sum():,}"
    forecasts = months[-1].folder / "tables" / "forecasts.parquet"
    if last["revenue"].notna().any():
        facts[f"revenue in the {_days(months[-1])} days counted"] = money(last["revenue"].sum(), currency)
    if forecasts.exists() and len(held := read_table(forecasts)["inside"].dropna()):
        facts[f"of {len(held)} forecasts of sizes held (95 % meant)"] = percent(held.astype(bool).mean(), 0)
    return facts


def _segments_now(series: pd.DataFrame, currency: str) -> Block:
    """Return the segments of the last month as a table: how large, what they bring, since when they are there."""
    since = series.groupby("segment_id")["month"].min()
    now = series[series["month"] == series["month"].iloc[-1]]
    shown = now[["segment", "customers", "customer_share", "revenue", "revenue_share"]]
    if len(now) < len(series):
        shown = shown.assign(since=now["segment_id"].map(since))
    return page_table(
        shown.dropna(axis=1, how="all"),
        "segments-now",
        people=["customers"],
        shares=["customer_share", "revenue_share"],
        money=["revenue"],
        theirs=["customer_share", "revenue", "revenue_share"],
        texts=["since"],
        labels={"revenue": f"revenue, {currency}" if currency else "revenue", "since": "in the series since"},
    )


def _figures(months: list[FinishedMonth], series: pd.DataFrame, names: dict[str, str]) -> list[Block]:
    import matplotlib

    matplotlib.use("Agg")
    from segkit.plots import plot_migrations, plot_series

    if len(months) == 1:
        return []
    shown = series[series["customers"] >= FEWEST_SHOWN]
    blocks, flows = [], flows_of(months)
    if len(flows):
        blocks += [
            _heading("Who stayed, who moved"),
            sentence("Each column is a month, each block a segment; a band is a group of at least ten customers."),
            figure_block(plot_migrations(flows, names), "Bands of customers between the segments of months"),
        ]
    for of, heading in (("customer", "How large they are"), ("revenue", "What they bring")):
        if shown[f"{of}_share"].notna().any():
            told = f"share of {of}{'s' * (of == 'customer')}"
            line = plot_series(shown, f"{of}_share", names, told)
            blocks += [_heading(heading), figure_block(line, f"A line per segment: its {told} by month")]
    return blocks


def _month_table(months: list[FinishedMonth], series: pd.DataFrame, stale: dict, currency: str) -> Block:
    rows = []
    for month in months:
        own = series[series["month"] == month.label]
        how = month.record["months"]
        way = "found" if how["way"] == "refit" else f"kept, of {how['fitted']}"
        rows.append(
            {
                "month": month.label,
                "stale": month.label in stale,
                "days counted": f"{_days(month)}",
                "customers": f"{own['customers'].sum():,}",
                "revenue": money(own["revenue"].sum(), currency) if own["revenue"].notna().any() else "",
                "segments": f"{(own['segment_id'] != 'S0').sum()}",
                "model": f"{way}: {how['why'].partition(': ')[2]}",
                "changes": _changes(month),
            }
        )
    told = any(row["changes"] for row in rows)
    return Block(render("month_table", months=rows, told=told), ", ".join(row["month"] for row in rows))


def _days(month: FinishedMonth) -> int:
    """Days behind the features; runs of earlier versions only knew the window."""
    return month.record.get("days_counted") or month.record["window_days"]


def _changes(month: FinishedMonth) -> str:
    tables = month.folder / "tables"
    if not (tables / "events.parquet").exists():
        return ""
    segments = read_table(tables / "segments.parquet")
    before = month.folder.parent / month.previous["month"] / "tables" / "segments.parquet"
    both = [read_table(before), segments] if before.exists() else [segments]  # it may lie elsewhere, or be gone
    own = {row.segment_id: row.segment for table in both for row in table.itertuples()}
    return tell_events(read_table(tables / "events.parquet"), told_apart(own), segments, month.previous["month"])
