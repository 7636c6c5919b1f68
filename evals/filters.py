"""Which samples of a set are measured: `--filter COLUMN=VALUE`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from harness.errors import HarnessError

SampleT = TypeVar("SampleT", bound=BaseModel)
_FORM = re.compile(r"\s*(\w+)\s*==?\s*(.*?)\s*", re.DOTALL)
_QUOTED = re.compile(r"'(.*)'|\"(.*)\"", re.DOTALL)
_SHOWN = 8  # values named when none matches


@dataclass(frozen=True)
class Filter:
    """A field of a sample and the value that it must have, or hold where it is a list."""

    column: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `COLUMN=VALUE` or `COLUMN == 'VALUE'`.

        Raises:
            HarnessError: it has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise HarnessError(
                f"--filter {text!r} is not COLUMN=VALUE", "For example --filter category=temporal."
            )
        column, value = found.groups()
        quoted = _QUOTED.fullmatch(value)
        return cls(column, value if quoted is None else quoted[1] or quoted[2] or "")

    def __str__(self) -> str:
        return f"{self.column}={self.value}"

    def keep(self, samples: Sequence[SampleT]) -> list[SampleT]:
        """The samples that match; an empty value matches an empty list.

        Raises:
            HarnessError: samples have no such column, or none matches.
        """
        kept = [sample for sample in samples if self.value in self._values(sample)]
        if samples and not kept:
            values = sorted({value for sample in samples for value in self._values(sample)})
            named = ", ".join(map(repr, values[:_SHOWN]))
            more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
            raise HarnessError(f"--filter {self}: no sample matches", f"There are {named}{more}.")
        return kept

    def _values(self, sample: BaseModel) -> list[str]:
        columns = sample.model_dump(mode="json")
        if self.column not in columns:
            raise HarnessError(
                f"--filter {self}: samples have no column {self.column!r}",
                f"They have {', '.join(columns)}.",
            )
        value: Any = columns[self.column]
        return [str(each) for each in value] or [""] if isinstance(value, list) else [str(value)]
