"""JSON files turned into parquet: a row per record, or per entry of one of its lists."""

from pathlib import Path

import duckdb

from segkit.data.cards.sections import FileSource
from segkit.data.convert import sql_text
from segkit.runtime.errors import InputError
from segkit.runtime.spelling import quote


def convert_json(path: Path, file: FileSource, target: str) -> None:
    """Write records as parquet; what lies within them has its place in the column's name, such as billing.email."""
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            reader = f"read_json({sql_text(str(path))}, maximum_object_size = 100000000, sample_size = -1)"
            connection.execute(f"CREATE VIEW records AS FROM {reader}")
            relation = "records"
            if file.records:
                listed, name = quote(file.records), quote(file.records)
                each = f"unnest(CASE WHEN len({listed}) > 0 THEN {listed} ELSE [NULL] END)"
                relation = f"(SELECT * EXCLUDE ({name}), {each} AS {name} FROM records)"
            rows = connection.sql(f"FROM {relation}")
            columns = [
                f"{sql} AS {quote(named)}"
                for name, kind in zip(rows.columns, rows.types, strict=True)
                for named, sql in _flat(name, quote(name), kind)
            ]
            connection.execute(
                f"COPY (SELECT {', '.join(columns)} FROM {relation}) TO {sql_text(target)} (FORMAT parquet)"
            )
        except duckdb.Error as error:
            said = str(error).splitlines()[0].replace(str(path), path.name)
            raise InputError(f"{path.name} can't be read as JSON: {said}; export it again") from None


def _flat(name: str, sql: str, kind):
    """Yield the columns within a column: those of structures by themselves, lists as text."""
    if kind.id == "struct":
        for inside, of in kind.children:
            yield from _flat(f"{name}.{inside}", f"struct_extract({sql}, {sql_text(inside)})", of)
    elif kind.id in ("list", "map", "array", "json"):
        yield name, f"({sql})::VARCHAR"
    else:
        yield name, sql
