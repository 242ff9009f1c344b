"""The series page: sizes, revenue and moves over all finished months of a dataset in one view."""

import base64
import os
from html import escape
from importlib.resources import files
from pathlib import Path

import pandas as pd

from segkit.monitoring.lasting_names import told_apart
from segkit.monitoring.month_sentences import tell_events
from segkit.reporting.blocks.pieces import answer, key_figures, title
from segkit.reporting.finished_runs import FinishedMonth, finished_months, stale_months
from segkit.runtime.tables.files import read_table
from segkit.runtime.text import money, number_word

FEWEST_SHOWN = 10  # customers behind a figure


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
    beside.write_text(_page(months, stale_months(months), dataset, currency), encoding="utf-8")
    beside.replace(page)
    return page


def _page(months: list[FinishedMonth], stale: dict[str, str], dataset: str, currency: str) -> str:
    series = series_of(months)
    names = told_apart(series.drop_duplicates("segment_id", keep="last").set_index("segment_id")["segment"].to_dict())
    first, last = months[0].label, months[-1].label
    body = [
        title(dataset, f"{first} to {last}" if first != last else first).html,
        answer(
            _headline(series), _ways(months), tuple(f"{label} is stale: {why}." for label, why in stale.items())
        ).html,
        key_figures(_facts(months, series, currency)).html,
    ]
    body += _figures(months, series, names)
    body += [
        "<h2>Month by month</h2>",
        "<p>Each month links to its report.</p>",
        _table(months, series, stale, currency),
    ]
    style = files("segkit.reporting").joinpath("page.css").read_text()
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(dataset)}, month by month</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body class='sk-page'>\n<main>\n{''.join(body)}\n</main>\n</body>\n</html>\n"
    )


def series_of(months: list[FinishedMonth]) -> pd.DataFrame:
    """Return the segments of all months: ``month, segment_id, segment, customers, customer_share, revenue, ...``."""
    tables = [read_table(month.folder / "tables" / "segments.parquet").assign(month=month.label) for month in months]
    columns = ["month", "segment_id", "segment", "customers", "customer_share", "revenue", "revenue_share"]
    return pd.concat([table[columns] for table in tables], ignore_index=True)


def _headline(series: pd.DataFrame) -> str:
    counted = series[series["segment_id"] != "S0"]
    months = counted["month"].nunique()
    lasting = counted.groupby("segment_id")["month"].nunique()
    now = counted.loc[counted["month"] == counted["month"].iloc[-1], "segment_id"].nunique()
    if months == 1:
        return f"{number_word(now).capitalize()} segments in the first month of the series."
    through = int((lasting == months).sum())
    span = "both months" if months == 2 else f"all {number_word(months)} months"
    return (
        f"{number_word(now).capitalize()} segments now; {'all' if through == now else number_word(through)} of them "
        f"{'has' if through == 1 else 'have'} lasted through {span}."
    )


def _ways(months: list[FinishedMonth]) -> str:
    fitted = [month.label for month in months if month.record["months"]["way"] == "refit"]
    if len(months) == 1:
        return "From the next month on this page says who moved."
    if len(fitted) == len(months):
        return "The segments were found anew in every month, and matched with those of the month before."
    kept = "in the other months the model was kept, so that who changes segment has changed"
    return f"The segments were found in {', '.join(fitted)}; {kept}."


def _facts(months: list[FinishedMonth], series: pd.DataFrame, currency: str) -> dict[str, str]:
    last = series[series["month"] == months[-1].label]
    facts = {
        "month" if len(months) == 1 else "months": f"{len(months)}",
        f"customers in {months[-1].label}": f"{last['customers'].sum():,}",
    }
    forecasts = months[-1].folder / "tables" / "forecasts.parquet"
    if last["revenue"].notna().any():
        facts[f"revenue in the {_days(months[-1])} days counted"] = money(last["revenue"].sum(), currency)
    if forecasts.exists() and len(held := read_table(forecasts)["inside"].dropna()):
        facts[f"of {len(held)} forecasts of sizes held (95 % meant)"] = f"{100 * held.astype(bool).mean():.0f} %"
    return facts


def _figures(months: list[FinishedMonth], series: pd.DataFrame, names: dict[str, str]) -> list[str]:
    import matplotlib

    matplotlib.use("Agg")
    from segkit.plots.moves import plot_migrations, plot_series
    from segkit.plots.style import use_style

    use_style()
    shown = series[series["customers"] >= FEWEST_SHOWN]
    parts = []
    flows = flows_of(months)
    if len(flows):
        about = "Each column is a month, each block a segment; a band is a group of at least ten customers."
        parts += [
            "<h2>Who stayed, who moved</h2>",
            f"<p>{about}</p>",
            _image(plot_migrations(flows, names), "Bands of customers between the segments of months"),
        ]
    if len(months) > 1:
        parts += ["<h2>How large they are</h2>"]
        parts += [
            _image(
                plot_series(shown, "customer_share", names, "share of customers"),
                "A line per segment: its share of customers by month",
            )
        ]
        if shown["revenue_share"].notna().any():
            parts += ["<h2>What they bring</h2>"]
            parts += [
                _image(
                    plot_series(shown, "revenue_share", names, "share of revenue"),
                    "A line per segment: its share of revenue by month",
                )
            ]
    return parts


def flows_of(months: list[FinishedMonth]) -> pd.DataFrame:
    """Return the moves between months that follow each other, as `plot_migrations` takes them."""
    tables = []
    for before, month in zip(months, months[1:], strict=False):
        path = month.folder / "tables" / "migrations.parquet"
        if month.previous and month.previous["month"] == before.label and path.exists():
            tables.append(read_table(path).assign(from_month=before.label, to_month=month.label))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _image(ax, name: str) -> str:
    import matplotlib.pyplot as plt

    from segkit.plots.style import small_png

    content = small_png(ax.figure)
    plt.close(ax.figure)
    return (
        f"<div class='output_png'><img alt='{escape(name)}' "
        f"src='data:image/png;base64,{base64.b64encode(content).decode()}'></div>"
    )


def _table(months: list[FinishedMonth], series: pd.DataFrame, stale: dict, currency: str) -> str:
    rows = []
    for month in months:
        own = series[series["month"] == month.label]
        how = month.record["months"]
        way = "found" if how["way"] == "refit" else f"kept, of {how['fitted']}"
        why = escape(how["why"].partition(": ")[2])
        changes = escape(_changes(month))
        link = f"<a href='{month.label}/report.html'>{month.label}</a>{' <b>stale</b>' if month.label in stale else ''}"
        revenue = money(own["revenue"].sum(), currency) if own["revenue"].notna().any() else ""
        rows.append(
            f"<tr><td>{link}</td><td>{_days(month)}</td><td>{own['customers'].sum():,}</td>"
            f"<td>{escape(revenue)}</td><td>{(own['segment_id'] != 'S0').sum()}</td>"
            f"<td class='t'>{way}: {why}</td><td class='t'>{changes}</td></tr>"
        )
    heads = "".join(f"<th>{head}</th>" for head in ("month", "days counted", "customers", "revenue", "segments"))
    heads += "<th class='t'>model</th><th class='t'>what became of the segments</th>"
    style = "<style>.series td:not(.t) { white-space: nowrap; } .sk-page .series .t { text-align: left; }</style>"
    table = f"<table class='dataframe series'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f"{style}<div class='sk-scroll'>{table}</div>"


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
