"""Write what is handed over: one folder, whole or not at all."""

import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd

from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.runtime.disk import check_writable
from segkit.runtime.errors import InputError
from segkit.runtime.tables.csv_files import write_csv
from segkit.runtime.tables.files import read_table, write_json
from segkit.scoring.sql.model_sql import DIALECTS, translate_sql
from segkit.targeting.handover.audience import HANDED, audience, read_contacts
from segkit.targeting.handover.platforms import PLATFORMS, Platform
from segkit.targeting.handover.star import RELATIONS, star_schema

BEYOND = ("bi", "sql")  # what needs nobody's address
# A sign that begins a formula, in full width too, where a cell begins: also at the marks that spreadsheets of other
# countries split at.


def hand_over(
    run: Path | str,
    to: tuple[str, ...] = (),
    out: Path | None = None,
    *,
    floor: int | None = None,
    min_confidence: float | None = None,
) -> tuple[Path, list[str]]:
    """Write audience files, tables for reporting tools and SQL from a finished run.

    Parameters
    ----------
    run : path
        A finished run, such as ``reports/my-shop/2026-10``.
    to : tuple of str
        Names from `PLATFORMS`, ``bi`` or ``sql``; all that the shop's data allow where none is named.
    out : path, optional
        Folder to write, ``handover`` within the run by default; what was there is replaced in the end.
    floor, min_confidence : optional
        Instead of the run's ``handover_floor`` and ``min_confidence``.

    Returns
    -------
    folder : Path
    told : list of str
        One sentence per platform: how many customers it gets, and why others are missing.

    Raises
    ------
    InputError
        No finished run; an unknown name; a platform was named and the shop has no addresses; `out` holds other files.

    Examples
    --------
    >>> hand_over("reports/no-such-run")
    Traceback (most recent call last):
    segkit.InputError: reports/no-such-run is no finished run: it has no run.json; make one with segkit report
    >>> hand_over("reports/no-such-run", to=("fax",))
    Traceback (most recent call last):
    segkit.InputError: nothing is handed over to 'fax'; there are klaviyo, mailchimp, ..., meta, bi, sql
    """
    run = Path(run)
    for name in to:
        if name not in (*PLATFORMS, *BEYOND):
            raise InputError(f"nothing is handed over to {name!r}; there are {', '.join((*PLATFORMS, *BEYOND))}")
    if not (run / "run.json").exists():
        raise InputError(f"{run} is no finished run: it has no run.json; make one with segkit report")
    record = _record(run)
    floor = record["parameters"]["handover_floor"] if floor is None else floor
    min_confidence = record["parameters"]["min_confidence"] if min_confidence is None else min_confidence
    contacts = _contacts(record)
    wanted = [name for name in PLATFORMS if name in to or not to]
    if contacts is None and any(name in to for name in PLATFORMS):
        raise InputError(
            f"dataset {record['dataset']} has no e-mail or phone in its [customers], so {', '.join(wanted)} can't be "
            "served: map customer_id, email (and consent) in the card, or hand over to bi and sql"
        )
    place = Path(out or run / "handover").resolve()
    if place.exists() and not (place / "handover.json").exists() and (place.is_file() or any(place.iterdir())):
        raise InputError(f"--out {out} holds other files, which a handover would replace: name a new or empty folder")
    check_writable(place.parent, f"--out {out or place}")
    beside = place.with_name(f".{place.name}-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        told = [] if contacts is not None or to else ["No audience files: the shop's data have no e-mail or phone."]
        counted = {}
        assignments = read_table(run / "tables" / "assignments.parquet")
        for name in wanted if contacts is not None else ():
            people, counts = audience(
                assignments, contacts, PLATFORMS[name], floor=floor, min_confidence=min_confidence
            )
            _write_audience(beside, name, people.assign(month=record["month"]))
            counted[name] = counts.to_dict("records")
            told.append(_tell(PLATFORMS[name], counts))
        if "bi" in to or not to:
            _write_star(beside / "bi", run, record, assignments)
            told.append("Power BI and Tableau: five tables in bi/, as parquet and CSV.")
        if "sql" in to or not to:
            _write_sql(beside / "sql", run)
            told.append(f"SQL: the model as rules.sql for DuckDB, {', '.join(DIALECTS)} in sql/.")
        settings = {"handover_floor": floor, "min_confidence": min_confidence}
        about = {name: record[name] for name in ("dataset", "month", "as_of")}
        write_json({**about, **settings, "counts": counted}, beside / "handover.json")
        (beside / "README.md").write_text(_readme(record, told, wanted if contacts is not None else []))
        if place.exists():
            shutil.rmtree(place)
        beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place, told


def _record(run: Path) -> dict:
    wanted = {"dataset", "month", "as_of", "card", "source", "parameters"}
    try:
        record = json.loads((run / "run.json").read_text())
        if not wanted <= set(record) or not {"handover_floor", "min_confidence"} <= set(record["parameters"]):
            raise ValueError(f"it lacks {', '.join(sorted(wanted - set(record))) or 'parameters of a handover'}")
        return record
    except (TypeError, ValueError) as error:
        raise InputError(f"{run / 'run.json'} is damaged ({error}): run the report again") from None


def _contacts(record: dict) -> pd.DataFrame | None:
    """Return e-mail, phone and consent by customer_id, read anew; None where the shop has no addresses."""
    card = read_card(record["card"], record["source"] or None)
    if card.ready is not None or record["as_of"] is None:
        return None
    with read_orders(card, pd.Timestamp(record["as_of"]).date()) as orders:
        return read_contacts(orders)


def _write_audience(folder: Path, name: str, people: pd.DataFrame) -> None:
    platform = PLATFORMS[name]
    if not platform.per_segment:
        write_csv(platform.columns(people), folder / f"{name}.csv")
        return
    (folder / name).mkdir()
    for (segment_id, segment), own in people.groupby(["segment_id", "segment"]):
        called = re.sub(r"\W+", "-", f"{segment_id}-{segment.lower()}").strip("-")
        write_csv(platform.columns(own), folder / name / f"{called}.csv")


def _write_star(folder: Path, run: Path, record: dict, assignments: pd.DataFrame) -> None:
    folder.mkdir()
    tables = {name: read_table(run / "tables" / f"{name}.parquet") for name in ("features", "segments")}
    for name, table in star_schema(
        record["month"], record["as_of"], tables["features"], assignments, tables["segments"]
    ).items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
        write_csv(table, folder / f"{name}.csv")
    (folder / "README.md").write_text(f"# Tables for Power BI and Tableau\n{RELATIONS}")


def _write_sql(folder: Path, run: Path) -> None:
    folder.mkdir()
    statement = (run / "model" / "rules.sql").read_text(encoding="utf-8")
    (folder / "rules.duckdb.sql").write_text(statement, encoding="utf-8")
    for dialect in DIALECTS:
        (folder / f"rules.{dialect}.sql").write_text(translate_sql(statement, dialect) + "\n", encoding="utf-8")


def _tell(platform: Platform, counts: pd.DataFrame) -> str:
    by_reason = counts.groupby("reason")["customers"].sum()
    others = by_reason.drop(HANDED, errors="ignore").sort_values(ascending=False, kind="stable")
    text = f"{platform.title}: {by_reason.get(HANDED, 0):,} of {by_reason.sum():,} customers"
    if len(others):
        text += "; not " + ", ".join(f"{count:,} {reason}" for reason, count in others.items())
    handed = counts[counts["reason"] == HANDED]
    if len(small := handed[handed["customers"] < platform.fewest]):
        text += f". It advises against lists of fewer than {platform.fewest}: {', '.join(small['segment'])}"
    return text + "."


def _readme(record: dict, told: list[str], platforms: list[str]) -> str:
    lines = [f"# Handed over: {record['dataset']}, {record['month']}", *(f"- {sentence}" for sentence in told)]
    if platforms:
        lines += ["", "| file | for | columns as in |", "|---|---|---|"]
        for name in platforms:
            platform = PLATFORMS[name]
            file = f"`{name}/<segment>.csv`, one per audience" if platform.per_segment else f"`{name}.csv`"
            lines.append(f"| {file} | {platform.title} | {platform.source} |")
        lines += [
            "",
            "Addresses are trimmed and in lower case; Google Ads and Meta get SHA-256 only. Phone numbers stand in "
            "hashed files alone, and only with a country code. `handover.json` counts every customer of every segment.",
            "Klaviyo and HubSpot make the properties while the columns are matched. Salesforce needs the four fields "
            "made beforehand, and updates contacts that are there. Mailchimp adds tags and takes none away: remove the "
            "last month's first.",
            "In CSV files a text that a spreadsheet would run as a formula has an apostrophe before it.",
        ]
    return "\n".join(lines) + "\n"
