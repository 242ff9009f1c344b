"""How tables and records are written, read and described; the same table always becomes the same bytes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from segkit.runtime.disk import shortened
from segkit.runtime.errors import InputError
from segkit.runtime.tables.schema import TABLES
from segkit.runtime.tables.types import Column
from segkit.runtime.text import escape_markdown, markdown_code, one_line, safe_cell

SIGNIFICANT_DIGITS = 9  # more would carry the order of summation, which differs between machines

_ARROW_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "share": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
}


def write_table(table: pd.DataFrame, name: str, folder: Path | str, extra: dict[str, Column] | None = None) -> Path:
    """Write `table` as ``<folder>/<name>.parquet``, held to its definition.

    Columns come in the defined order, then those of an open table in theirs. Floats are rounded to
    `SIGNIFICANT_DIGITS`, rows are sorted where the table has a sort key, nothing but the data is stored, so that
    the same table gives the same bytes.

    Parameters
    ----------
    table : DataFrame
        Has every defined column, as a column or as the index.
    name : str
        A key of `TABLES`.
    folder : path
        Exists.
    extra : dict, optional
        Columns of an open table with a type of their own; others keep theirs.

    Raises
    ------
    ValueError
        A column is missing, or one too many in a table that is not open. (A fault of segkit, not of the user.)

    Examples
    --------
    >>> import tempfile
    >>> ledger = pd.DataFrame({"reason": ["sale"], "rows": [3], "orders": [2], "customers": [1], "amount": [9.5]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_table(write_table(ledger, "ledger", folder))
      reason  rows  orders  customers  amount
    0   sale     3       2          1     9.5
    >>> write_table(ledger[["reason"]], "ledger", ".")
    Traceback (most recent call last):
    ValueError: table ledger lacks rows, orders, customers, amount
    """
    definition = TABLES[name]
    if table.index.name is not None:
        table = table.reset_index()
    missing = [column for column in definition.columns if column not in table]
    if missing:
        raise ValueError(f"table {name} lacks {', '.join(missing)}")
    others = [column for column in table if column not in definition.columns]
    if others and not definition.open:
        raise ValueError(f"table {name} has no column {', '.join(others)}")
    table = table[[*definition.columns, *others]]
    if definition.sort:
        table = table.sort_values(list(definition.sort), kind="stable")
    known = {**definition.columns, **(extra or {})}
    arrays = [_to_arrow(table[column], known[column].type if column in known else None) for column in table]
    path = Path(folder) / f"{name}.parquet"
    arrow = pa.Table.from_arrays(arrays, names=list(table))
    pq.write_table(arrow, path, compression="zstd", store_schema=False)
    return path


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV that is safe to open in a spreadsheet: a text that would run as a formula gets an apostrophe first.

    See `safe_cell`; tabs and line ends become spaces. Numbers stay numbers, a minus included.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.csv"
    ...     write_csv(pd.DataFrame({"name": ["=1+1", "Ann"], "change": [-2.5, 1.0]}), path)
    ...     print(path.read_text())
    name,change
    '=1+1,-2.5
    Ann,1.0
    """
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    safe = {name: table[name].map(safe_cell, na_action="ignore") for name in texts}
    names = [safe_cell(name) for name in table]
    table.assign(**safe).set_axis(names, axis=1).to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def read_table(path: Path | str) -> pd.DataFrame:
    """Return a written table; one of `TABLES` (by the file's name) has its columns, of their types.

    Raises
    ------
    InputError
        The file is missing or damaged, lacks a column, or has one of another type; the message names it.

    Examples
    --------
    >>> read_table("reports/no-such-run/tables/segments.parquet")
    Traceback (most recent call last):
    segkit.InputError: reports/no-such-run/tables/segments.parquet is missing: run the report again
    """
    path = Path(path)
    try:
        table = pd.read_parquet(path)
        definition = TABLES.get(path.stem)
        if wrong := _misfits(table, definition.columns) if definition else "":
            raise ValueError(wrong)
        return table
    except Exception as error:  # a damaged file raises more than there are names for
        raise damaged(path, error) from error


def _misfits(table: pd.DataFrame, columns: dict[str, Column]) -> str:
    """Return what of a table doesn't fit its definition, "" where everything does; an empty column fits any type."""
    if missing := [name for name in columns if name not in table]:
        return f"it has no column {', '.join(missing)}"
    for name, column in columns.items():
        filled = table[name].dropna().infer_objects()  # booleans with gaps come back as objects
        fits = pd.api.types.is_string_dtype(filled) if column.type == "text" else _is_number(filled)
        if len(filled) and not fits:
            return f"its column {name} holds no {column.type}"
    return ""


def read_json(path: Path | str, **kinds: type | tuple[type, ...]) -> dict:
    """Return a written record that has these keys, each of its type.

    Raises
    ------
    InputError
        The file is missing or damaged, lacks a key, or has one of another type; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "run.json"
    >>> write_json({"dataset": "shop", "month": 9}, path)
    >>> read_json(path, dataset=str)
    {'dataset': 'shop', 'month': 9}
    >>> read_json(path, month=str)
    Traceback (most recent call last):
    segkit.InputError: ...run.json is damaged (its `month` is 9): run the report again
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("it holds no record")
        if missing := [key for key in kinds if key not in record]:
            raise ValueError(f"it lacks {', '.join(missing)}")
        for key, kind in kinds.items():
            if not isinstance(record[key], kind):
                raise ValueError(f"its `{key}` is {shortened(record[key])}")
        return record
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, why: object) -> InputError:
    """Return the error about a file of a run that can't be what segkit wrote.

    Examples
    --------
    >>> raise damaged(Path("reports/shop/2026-01/run.json"), "its month is 'x'")
    Traceback (most recent call last):
    segkit.InputError: reports/shop/2026-01/run.json is damaged (its month is 'x'): run the report again
    """
    if isinstance(why, FileNotFoundError | NotADirectoryError):
        return InputError(f"{shortened(path)} is missing: run the report again")
    said = one_line(why) or type(why).__name__
    return InputError(f"{shortened(path)} is damaged ({shortened(said)}): run the report again")


def _to_arrow(series: pd.Series, kind: str | None) -> pa.Array:
    if kind == "text" or (kind is None and not _is_number(series)):
        missing = series.isna()
        return pa.array([None if gone else str(text) for text, gone in zip(series, missing, strict=True)], pa.string())
    if kind is None:
        kind = "boolean" if series.dtype == bool else "integer" if series.dtype.kind in "iu" else "number"
    if kind in ("number", "share", "money"):
        series = pd.to_numeric(series).astype("float64")
        rounded = round_money(series) if kind == "money" else round_significant(series.to_numpy())
        return pa.array(rounded, pa.float64(), from_pandas=True)
    return pa.array(series.tolist(), _ARROW_TYPES[kind], from_pandas=True)


def _is_number(series: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(series) or pd.api.types.is_bool_dtype(series)


def round_money(amounts: pd.Series) -> np.ndarray:
    """Return amounts rounded to a hundredth of the smallest coin."""
    return np.round(amounts.to_numpy(dtype="float64"), 4) + 0.0


def round_significant(numbers: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """Return `numbers` rounded to significant digits; 0, NaN and infinities stay as they are.

    Examples
    --------
    >>> round_significant(np.array([123456.789, 0.000123456789, 0.0]), digits=4)
    array([1.235e+05, 1.235e-04, 0.000e+00])
    """
    numbers = np.asarray(numbers, dtype="float64")
    finite = np.isfinite(numbers) & (numbers != 0)
    rounded = numbers.copy()
    exponents = digits - 1 - np.floor(np.log10(np.abs(numbers[finite]))).astype(int)
    # Dividing by a power of ten keeps the shortest decimal exact; multiplying by 1e-n does not.
    big = exponents < 0
    scales = 10.0 ** np.abs(exponents)
    part = numbers[finite]
    rounded[finite] = np.where(big, np.round(part / scales) * scales, np.round(part * scales) / scales)
    return rounded + 0.0  # no negative zeros


def describe_tables(folder: Path | str, about: dict[str, dict[str, Column]] | None = None) -> str:
    """Return the README of a folder of tables: each table there, each column with type, unit and definition.

    `about` holds, by table, the definitions of columns that depend on the data.
    """
    lines = [
        "# Tables of this run",
        "",
        "Parquet files; shares are 0 to 1, money is in the dataset's currency.",
    ]
    for name, definition in TABLES.items():
        path = Path(folder) / f"{name}.parquet"
        if not path.exists():
            continue
        lines += [
            "",
            f"## {name}.parquet",
            "",
            definition.about,
            "",
            "| column | type | unit | what |",
            "|---|---|---|---|",
        ]
        known = {**definition.columns, **((about or {}).get(name, {}))}
        for field in pq.read_schema(path):
            column = known.get(field.name) or Column(str(field.type), "", "as it came")
            told = [column.type, column.unit, column.definition]
            if field.name not in definition.columns:  # words of the shop's
                told = [escape_markdown(text) for text in told]
            lines.append(f"| {markdown_code(field.name)} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


def write_json(content: dict, path: Path | str) -> None:
    """Write `content` as indented JSON with sorted keys; NaN is refused, since it is not JSON."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")
