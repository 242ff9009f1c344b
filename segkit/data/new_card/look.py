"""What can be seen of each column of a file: its type, how full it is, how many values, what they look like."""

from dataclasses import dataclass

import duckdb

from segkit.data.columns import is_number, missing_text, number
from segkit.data.contacts import contact_name
from segkit.data.new_card.synonyms import SYNONYMS, name_score
from segkit.data.numbers import missing_number
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
    numbers_share: float  # can be read as numbers, with the decimal mark that most of them fit
    mark: str  # that decimal mark
    other_marks: tuple[str, ...]  # that fit as well, and give other numbers
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


def look_at_columns(connection: duckdb.DuckDBPyConnection, relation: str, separator: str = "") -> list[Look]:
    """Return a look at each column of `relation`, over its first rows; `separator` is that of its file."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sample AS FROM {relation} LIMIT {SAMPLE_ROWS}")
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE sample").fetchall()}
    rows, all_rows = (connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in ("sample", relation))
    return [_look(connection, name, kind, rows, all_rows, separator) for name, kind in types.items()]


def _decimal_mark(connection, column: str, units: bool, separator: str) -> tuple[str, tuple[str, ...]]:
    """Return the mark with which most texts of a column are numbers, and others that read them as other numbers.

    It is "" for a column of words.

    Three digits behind a mark in every text may be thousands or decimals. Behind a comma they are thousands where the
    file's own separator is the comma, as in English; otherwise nothing tells.
    """
    written = f"regexp_matches({column}, '[0-9]') AND NOT regexp_matches({column}, '[A-Za-z]{{9}}|-.*-|:')"
    some = f"SELECT coalesce(avg(({written} AND length({column}) < 25)::INTEGER), 0) FROM sample WHERE {column} <> ''"
    if connection.execute(some).fetchone()[0] < 0.2:
        return "", ()
    marks = (".", ",", ".,")
    counts = ", ".join(f"count({number(column, 'VARCHAR', mark, units)})" for mark in marks)
    sums = ", ".join(f"sum({number(column, 'VARCHAR', mark, units)})" for mark in marks)
    *counted, dots, commas, _ = connection.execute(f"SELECT {counts}, {sums} FROM sample").fetchone()
    if counted[0] < counted[1] or counted[0] < counted[2]:
        return marks[counted.index(max(counted))], ()
    if counted[0] > counted[1] or dots == commas or not counted[0]:
        return ".", ()
    return (".", ()) if separator == "," and dots > commas else (".", (",",))


def _look(connection, name: str, kind: str, rows: int, all_rows: int, separator: str) -> Look:
    column = quote(name)
    written = missing_text(f"{column}::VARCHAR")
    mark, others, percents, units = ".", (), 0, bool(name_score(name, SYNONYMS["quantity"]))
    if kind == "VARCHAR":
        mark, others = _decimal_mark(connection, column, units, separator)
        percents = connection.execute(
            f"SELECT count(*) FILTER (regexp_full_match(trim({column}), '-?[0-9.,]+ ?%')) FROM sample"
        ).fetchone()[0]
    value = number(column, kind, mark, units) if is_number(kind) or (kind == "VARCHAR" and mark) else "NULL::DOUBLE"
    if kind == "VARCHAR":
        blank = missing_number(column)
        written = f"CASE WHEN ({blank}) IS NULL AND trim({column}) NOT IN ('-', '–') THEN NULL ELSE {written} END"
    filled, distinct, numbers, dates, whole, low, high, negative, no_number = connection.execute(f"""
        SELECT count(shown), count(DISTINCT shown), count(value),
            count(CASE WHEN NOT regexp_full_match(shown, '[0-9.]+') THEN TRY_CAST(shown AS TIMESTAMP) END)
                FILTER (TRY_CAST(shown AS TIMESTAMP) > TIMESTAMP '1900-01-01'),
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
        mark or ".",
        others,
        percents / known,
        dates / known,
        whole,
        low,
        high,
        negative / known,
        "" if "@" in (no_number or "@") else " ".join(no_number.split())[:40],
    )
