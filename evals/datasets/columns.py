"""From the columns of somebody's table to the fields of records."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, get_origin

from pydantic import ValidationError

from evals.datasets.records import DatasetError, Record
from harness.errors import HarnessError

TIMES = ("sent_at", "asked_at")
SEPARATOR = ","
_REMEDIES = {
    "sent_at": "give milliseconds since 1970 in UTC, or a date like 2026-05-03T14:30:00Z",
    "asked_at": "give milliseconds since 1970 in UTC, or a date like 2026-05-03T14:30:00Z",
    "role": "use user or assistant",
    "split": "use tune or test, or give no such column",
}


@dataclass(frozen=True)
class Columns:
    """Which column holds which field; a field that is not named is in the column of its own name.

    Attributes:
        named: columns by field, or by part and field, as in `questions.text`.
        separator: between the items of a list that is not written as a JSON array.
    """

    named: dict[str, str] = field(default_factory=dict)
    separator: str = SEPARATOR

    @classmethod
    def parse(
        cls, texts: Iterable[str], models: dict[str, type[Record]], separator: str = SEPARATOR
    ) -> Self:
        """Read `FIELD=COLUMN` and `PART.FIELD=COLUMN`.

        Args:
            texts: as they were given.
            models: the parts' records.
            separator: of lists.

        Raises:
            HarnessError: one has another form, or no part has the field.
        """
        fields = {name for model in models.values() for name in model.model_fields}
        fields |= {f"{part}.{name}" for part in models for name in models[part].model_fields}
        named = {}
        for text in texts:
            name, equals, column = text.partition("=")
            if not equals or not column:
                raise HarnessError(
                    f"--column {text!r} is not FIELD=COLUMN", "For example --column text=Query."
                )
            if name not in fields:
                known = "; ".join(f"{p}: {', '.join(m.model_fields)}" for p, m in models.items())
                raise HarnessError(f"--column {text}: there is no field {name!r}", f"{known}.")
            named[name] = column
        return cls(named, separator)

    def of(self, part: str, name: str) -> str:
        """The column of a part's field."""
        return self.named.get(f"{part}.{name}", self.named.get(name, name))


@dataclass(frozen=True)
class Table:
    """Somebody's rows for one part.

    Attributes:
        path: of the file, for what is said of it.
        part: such as `queries`.
        model: of its records.
        rows: values by column; rows are counted from 1.
        columns: what they are named.
    """

    path: Path
    part: str
    model: type[Record]
    rows: list[dict[str, Any]]
    columns: Columns

    def has(self, name: str) -> bool:
        """Whether any row has a value of a field."""
        column = self.columns.of(self.part, name)
        return any(row.get(column) is not None for row in self.rows)

    @property
    def ignored(self) -> list[str]:
        """Columns that no field is read from."""
        used = {self.columns.of(self.part, name) for name in self.model.model_fields}
        return sorted({column for row in self.rows for column in row} - used)

    def check_columns(self, made: set[str]) -> None:
        """Refuse a table that lacks a column.

        Args:
            made: fields that are made where there is no column for them.

        Raises:
            DatasetError: a field has no value in any row and can't be made.
        """
        if not self.rows:
            raise DatasetError(f"{self.path}: no rows; it needs at least one")
        there = sorted({column for row in self.rows for column in row})
        for name, given in self.model.model_fields.items():
            column = self.columns.of(self.part, name)
            required = given.is_required() and name not in made
            if (required or column != name) and column not in there:
                raise DatasetError(
                    f"{self.path}: column {column!r} is missing; it has {', '.join(there)}: "
                    f"say which one is {name!r} with --column {self.part}.{name}=COLUMN"
                )

    def fields(self, number: int) -> dict[str, Any]:
        """The fields of a row that have a value, each of the type that its record wants.

        Raises:
            DatasetError: a value can't be read as that type.
        """
        found = {}
        for name in self.model.model_fields:
            column = self.columns.of(self.part, name)
            value = self.rows[number - 1].get(column)
            if value is None and column in self.rows[number - 1] and self._is_list(name):
                value = []  # an empty cell
            if value is not None:
                try:
                    found[name] = self._read(name, value)
                except ValueError:
                    raise self.wrong(number, name, value, self._expected(name)) from None
        return found

    def record(self, number: int, fields: dict[str, Any]) -> Record:
        """The record of a row.

        Raises:
            DatasetError: a field is missing or has a value that it can't have.
        """
        try:
            return self.model.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "record"
            inside = ".".join(map(str, first["loc"][1:]))
            what = f"{inside}: {first['msg'].lower()}" if inside else first["msg"].lower()
            raise self.wrong(number, name, fields.get(name), what) from None

    def wrong(self, number: int, name: str, value: Any, what: str) -> DatasetError:
        """What is said of a value that does not fit."""
        column, shown = self.columns.of(self.part, name), str(value)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
        remedy = _REMEDIES.get(name)
        said = f"{self.path}: row {number}: column {column!r} (field {name!r}): {shown!r}: {what}"
        return DatasetError(f"{said}; {remedy}" if remedy else said)

    def _read(self, name: str, value: Any) -> Any:
        if name in TIMES:
            return _milliseconds(value)
        if self._is_list(name):
            return _texts(value, self.columns.separator)
        if get_origin(self.model.model_fields[name].annotation) in (dict, tuple):
            return json.loads(value) if isinstance(value, str) else value
        return str(value)

    def _is_list(self, name: str) -> bool:
        return self.model.model_fields[name].annotation == tuple[str, ...]

    def _expected(self, name: str) -> str:
        if name in TIMES:
            return "is no time"
        return "is no list" if self._is_list(name) else "is no JSON"


def _texts(value: Any, separator: str) -> list[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = json.loads(value)
    elif isinstance(value, str):
        value = [each.strip() for each in value.split(separator)]
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [str(each) for each in value if str(each)]


def _milliseconds(value: Any) -> int:
    """Milliseconds UTC of a number of them, or of a date; one without a zone is UTC."""
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    if isinstance(value, (int, float)):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if text.lstrip("-").isdecimal():
            return int(text)
        value = datetime.fromisoformat(text)
    if not isinstance(value, date):
        raise ValueError(value)
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
