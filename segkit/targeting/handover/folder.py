"""Write what is handed over: one folder, whole or not at all."""

import re
from pathlib import Path

import pandas as pd

from segkit.data.cards.card import read_card
from segkit.data.orders import read_orders
from segkit.monitoring.previous_month import read_model, read_record, read_tables
from segkit.runtime.disk import building, check_writable, shortened
from segkit.runtime.errors import InputError
from segkit.runtime.parameters import Parameters, read_parameters
from segkit.runtime.tables.files import damaged, write_csv, write_json
from segkit.runtime.text import escape_markdown, one_line
from segkit.scoring.sql.model_sql import DIALECTS, rules_sql, translate_sql
from segkit.targeting.handover.audience import HANDED, audience, read_contacts
from segkit.targeting.handover.platforms import PLATFORMS, Platform
from segkit.targeting.handover.star import RELATIONS, star_schema

NEEDS_NO_ADDRESS = ("bi", "sql")


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
        Folder to write, ``handover`` within the run by default. A hand-over that is there is replaced in one step when
        the new one is whole.
    floor : int, optional
        Fewest customers of a segment in a file, at least 10; by default 50, or the run's ``handover_floor`` where that
        is more.
    min_confidence : float, optional
        Instead of the run's ``min_confidence``.

    Returns
    -------
    folder : Path
    told : list of str
        One sentence per platform: how many customers it gets, and why others are missing.

    Raises
    ------
    InputError
        No finished run, or a damaged one; an unknown name; a platform was named and the shop has no addresses; `out`
        holds other files, or can't be written to.

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
        if name not in (*PLATFORMS, *NEEDS_NO_ADDRESS):
            known = ", ".join((*PLATFORMS, *NEEDS_NO_ADDRESS))
            raise InputError(f"nothing is handed over to {name!r}; there are {known}")
    record = read_record(run, dataset=str, card=str, source=str, parameters=dict)
    _check_place(run, out)
    limits = _limits(run, record, floor, min_confidence)
    with building(out or run / "handover", f"--out {out}" if out else "") as folder:
        folder.mkdir()
        tables = read_tables(run, "assignments", "features", "segments")
        card, contacts = _read_contacts(record)
        wanted = [name for name in PLATFORMS if name in to or not to]
        told = []
        if contacts is None and any(name in to for name in PLATFORMS):
            raise InputError(
                f"dataset {record['dataset']} has no e-mail or phone in its [customers], so {', '.join(wanted)} can't "
                "be served: map customer_id, email and consent in the card, or hand over to bi and sql"
            )
        if contacts is None:
            wanted = []
            told += [] if to else ["No audience files: the shop's data have no e-mail or phone."]
        elif wanted:
            told += _tell_consent(card, contacts)
        counted = {}
        for name in wanted:
            people, counts = audience(tables["assignments"], contacts, PLATFORMS[name], **limits)
            _write_audience(folder, name, people.assign(month=record["month"]))
            counted[name] = counts.to_dict("records")
            told.append(_tell(PLATFORMS[name], counts))
        if "bi" in to or not to:
            _write_star(folder / "bi", record, tables)
            told.append("Power BI and Tableau: five tables in bi/, as parquet and CSV.")
        if "sql" in to or not to:
            _write_sql(folder / "sql", run, tables["features"])
            told.append(f"SQL: the model as rules.sql for DuckDB, {', '.join(DIALECTS)} in sql/.")
        about = {name: record[name] for name in ("dataset", "month", "as_of")}
        settings = {"handover_floor": limits["floor"], "min_confidence": limits["min_confidence"]}
        write_json({**about, **settings, "counts": counted}, folder / "handover.json")
        (folder / "README.md").write_text(_readme(record, told, wanted), encoding="utf-8")
    return Path(out or run / "handover").resolve(), told


def _limits(run: Path, record: dict, floor: int | None, min_confidence: float | None) -> dict:
    """Return the floor and the least confidence: as asked for, else the run's, and never below what always holds."""
    own = {name: record["parameters"].get(name) for name in ("handover_floor", "min_confidence")}
    try:
        kept = Parameters(**own)
    except InputError as error:
        raise damaged(run / "run.json", error) from None
    asked = {"handover_floor": floor, "min_confidence": min_confidence}
    asked = read_parameters({name: given for name, given in asked.items() if given is not None})
    return {
        "floor": asked.handover_floor if floor is not None else max(kept.handover_floor, Parameters.handover_floor),
        "min_confidence": asked.min_confidence if min_confidence is not None else kept.min_confidence,
    }


def _check_place(run: Path, out: Path | None) -> None:
    """Refuse a place that can't be written to, or that holds what is no hand-over."""
    place = Path(out or run / "handover")
    named = f"--out {shortened(out)}" if out else shortened(place)
    check_writable(place.parent, named)
    if place.exists() and not place.is_dir():
        raise InputError(f"{named} is a file, and a hand-over is a folder: name a new or empty one")
    if out and place.exists() and any(place.iterdir()) and not (place / "handover.json").exists():
        raise InputError(f"{named} holds other files, which a hand-over would replace: name a new or empty folder")


def _read_contacts(record: dict):
    """Return the card, and e-mail, phone and consent read anew; None instead where the shop has no addresses."""
    card = read_card(record["card"], record["source"] or None)
    if card.ready is not None or record["as_of"] is None:
        return card, None
    with read_orders(card, pd.Timestamp(record["as_of"]).date()) as orders:
        return card, read_contacts(orders)


def _tell_consent(card, contacts: pd.DataFrame) -> list[str]:
    if reason := card.consent_not_needed:
        return [f"Nobody was asked for consent, because the card says that it is not needed: {one_line(reason)}"]
    if "consent" in contacts:
        return []
    return [
        "Nobody is handed over to mail and ads: the shop's [customers] say nothing of consent. Map `consent` in the "
        'card, or state there why it is not needed: [consent] not_needed = "reason".'
    ]


def _write_audience(folder: Path, name: str, people: pd.DataFrame) -> None:
    platform = PLATFORMS[name]
    if not platform.per_segment:
        write_csv(platform.columns(people), folder / f"{name}.csv")
        return
    (folder / name).mkdir()
    for (segment_id, segment), own in people.groupby(["segment_id", "segment"]):
        called = re.sub(r"\W+", "-", f"{segment_id}-{segment.lower()}").strip("-")[:60]
        write_csv(platform.columns(own), folder / name / f"{called}.csv")


def _write_star(folder: Path, record: dict, tables: dict[str, pd.DataFrame]) -> None:
    folder.mkdir()
    for name, table in star_schema(record["month"], record["as_of"], **tables).items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
        write_csv(table, folder / f"{name}.csv")
    (folder / "README.md").write_text(f"# Tables for Power BI and Tableau\n{RELATIONS}", encoding="utf-8")


def _write_sql(folder: Path, run: Path, features: pd.DataFrame) -> None:
    """Write the model as SQL, made anew: the run's own rules.sql may have been edited."""
    folder.mkdir()
    model = read_model(run)
    try:
        statement = rules_sql(model, features.set_index("customer_id"))
    except Exception as error:
        raise damaged(
            run / "model" / "segmentation.json", f"it doesn't fit tables/features.parquet: {error}"
        ) from error
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
        named = ", ".join(map(one_line, small["segment"]))
        text += f". It advises against lists of fewer than {platform.fewest}: {named}"
    return text + "."


def _readme(record: dict, told: list[str], platforms: list[str]) -> str:
    title = escape_markdown(f"{record['dataset']}, {record['month']}")
    lines = [f"# Handed over: {title}", *(f"- {escape_markdown(sentence)}" for sentence in told)]
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
