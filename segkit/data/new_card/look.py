"""What can be seen of each column of a file: its type, how full it is, how many values, what they look like."""

from dataclasses import dataclass

import duckdb

from segkit.data.columns import is_number, missing_text, number
from segkit.data.contacts import contact_name
from segkit.runtime.spelling import quote

SAMPLE_ROWS = 200_000  # the first ones: enough to see a column's nature, and the same each time


@dataclass(frozen=True)
class Look:
    """What was seen of a column. Shares are of the rows; `numbers`, `decimals`, `dates` of the filled ones."""

    name: str
    type: str
    rows: int  # that were looked at
    all_rows: int
    filled_share: float
    distinct: int
    examples: tuple[str, ...]
    numbers_share: float  # can be read as numbers, with the decimal mark that most of them have
    comma_share: float  # are texts with a decimal comma
    percent_share: float  # are numbers with a percent sign
    dates_share: float  # can be read as dates without being told the format
    whole: bool
    low: float | None
    high: float | None
    negative_share: float
    no_number: str  # an example of what can't be read as a number

    @property
    def is_date(self) -> bool:
        """Return whether the column is a date already."""
        return self.type.startswith(("TIMESTAMP", "DATE"))

    @property
    def has_commas(self) -> bool:
        """Return whether its numbers are written with a decimal comma, all of them or those that aren't whole."""
        return self.comma_share > 0 and self.is_money_like

    @property
    def is_text(self) -> bool:
        """Return whether the column is text that isn't numbers throughout."""
        return self.type == "VARCHAR" and self.numbers_share < 0.95

    @property
    def is_money_like(self) -> bool:
        """Return whether the column can be a number with any fraction."""
        return not self.is_date and self.type != "BOOLEAN" and self.numbers_share > 0.95

    @property
    def kind(self) -> str:
        """Return what the column holds, in words; numbers only where all of them are."""
        if self.is_date or self.dates_share > 0.95:
            return "dates"
        if self.type == "BOOLEAN":
            return "yes or no"
        if not self.is_money_like:
            return "text"
        if self.numbers_share == 1:
            return "numbers"
        such = f", such as {self.no_number}" if self.no_number else ""
        return f"numbers ({max(1 - self.numbers_share, 0.001):.1%} not{such})"

    def __str__(self) -> str:
        of = f" of the first {self.rows:,}" if self.rows < self.all_rows else ""
        empty = f", {1 - self.filled_share:.0%}{of} empty" if self.filled_share < 0.995 else ""
        private = contact_name(self.name) or any("@" in example for example in self.examples)
        shown = f"; e.g. {', '.join(self.examples)}" if self.examples and not private else ""
        return f"{self.kind}, {self.distinct:,} different{empty}{shown}"


def look_at_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[Look]:
    """Return a look at each column of `relation`, over its first rows."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sample AS FROM {relation} LIMIT {SAMPLE_ROWS}")
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE sample").fetchall()}
    rows, all_rows = (connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in ("sample", relation))
    return [_look(connection, name, kind, rows, all_rows) for name, kind in types.items()]


def _look(connection, name: str, kind: str, rows: int, all_rows: int) -> Look:
    column = quote(name)
    written = missing_text(f"{column}::VARCHAR")
    commas, points, percents = 0, 0, 0
    if kind == "VARCHAR":
        commas, points, percents = connection.execute(
            "SELECT count(*) FILTER (regexp_full_match(shown, '-?[0-9.]+,[0-9]+')), "
            "count(*) FILTER (regexp_full_match(shown, '-?[0-9,]*[.][0-9]+')), "
            "count(*) FILTER (regexp_full_match(shown, '-?[0-9.,]+ ?%')) "
            f"FROM (SELECT trim({written}) AS shown FROM sample)"
        ).fetchone()
    # a spreadsheet writes 12,50 but 12: whole numbers belong to those with a comma
    decimal = "," if commas > points else "."
    value = number(column, kind, decimal) if is_number(kind) or kind == "VARCHAR" else "NULL::DOUBLE"
    filled, distinct, numbers, dates, whole, low, high, negative, no_number = connection.execute(f"""
        SELECT count(shown), count(DISTINCT shown), count(value),
            count(TRY_CAST(shown AS TIMESTAMP)) FILTER (NOT regexp_full_match(shown, '[0-9.]+')),
            coalesce(bool_and(value = floor(value)), false), min(value), max(value), count(*) FILTER (value < 0),
            max(shown) FILTER (value IS NULL)
        FROM (SELECT {written} AS shown, {value} AS value FROM sample)
    """).fetchone()
    if whole:
        written = f"regexp_replace({written}, '\\.0$', '')"  # 13085.0 is a float only because some are missing
    examples = connection.execute(
        f"SELECT shown FROM (SELECT {written} AS shown FROM sample) WHERE shown IS NOT NULL "
        "GROUP BY shown ORDER BY count(*) DESC, shown LIMIT 2"
    ).fetchall()
    known = max(filled, 1)
    return Look(
        name,
        kind,
        rows,
        all_rows,
        filled / max(rows, 1),
        distinct,
        tuple(" ".join(example[0].split())[:40] for example in examples),
        numbers / known,
        commas / known if decimal == "," else 0.0,
        percents / known,
        dates / known,
        whole,
        low,
        high,
        negative / known,
        "" if "@" in (no_number or "@") else " ".join(no_number.split())[:40],
    )
