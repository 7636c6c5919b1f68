"""Rows of JSONL, CSV and Parquet files, told apart by their extension."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import polars as pl

from evals.datasets.files import read_lines
from evals.datasets.records import DatasetError, Record

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file by column; every value of a CSV file is text, or None for an empty cell.

    Raises:
        DatasetError: there is no such file, or it can't be read as what its name says.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file")
    try:
        match path.suffix.lower():
            case ".jsonl" | ".ndjson":
                return _objects(path)
            case ".csv":
                return pl.read_csv(path, infer_schema=False).to_dicts()
            case ".parquet":
                return pl.read_parquet(path).to_dicts()
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        first = str(error).strip().splitlines()[0]
        raise DatasetError(f"{path}: can't be read as {path.suffix[1:]}: {first}") from None
    known = ", ".join(FORMATS)
    raise DatasetError(f"{path}: files {path.suffix or 'without extension'} are not read; {known}")


def _objects(path: Path) -> list[dict[str, Any]]:
    rows = read_lines(path)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise DatasetError(f"{path}: row {number}: {str(row)[:40]!r} is no JSON object")
    return rows


def write_rows(path: Path, model: type[Record], records: Iterable[Record]) -> None:
    """Write records to a file in the format of its extension.

    Lists and objects are JSON text in CSV and Parquet, so that tools with different parameters fit
    into one column. In JSONL what is None is left out.

    Args:
        path: of the file.
        model: of the records; its fields are the columns.
        records: what is written.
    """
    rows = [record.model_dump(mode="json", by_alias=True) for record in records]
    if path.suffix == ".jsonl":
        lines = (
            json.dumps({k: v for k, v in row.items() if v is not None}, ensure_ascii=False)
            for row in rows
        )
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")
        return
    table = pl.DataFrame(
        {name: [_cell(row[name]) for row in rows] for name in model.model_fields}, strict=False
    )
    if path.suffix == ".csv":
        table.write_csv(path, quote_style="non_numeric")
    else:
        table.write_parquet(path)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
