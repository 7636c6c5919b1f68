"""Somebody's own tables as a set in the project's own format."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.datasets.columns import Columns, Table
from evals.datasets.datasheet import UNSTATED, write_datasheet
from evals.datasets.files import split_by_hash
from evals.datasets.folder import DATASHEET, new_folder
from evals.datasets.kinds import AnySet, Kind, Parts
from evals.datasets.records import DatasetError
from evals.datasets.tables import read_rows, write_rows

TEST_SHARE = 0.5


@dataclass(frozen=True)
class Imported:
    """A set that was written.

    Attributes:
        data: as it is read from now on.
        ignored: columns that were not read, by part.
        split: how the splits came about.
    """

    data: AnySet
    ignored: dict[str, list[str]]
    split: str


def import_set(
    kind: Kind,
    files: dict[str, Path],
    target: Path,
    columns: Columns,
    *,
    test_share: float = TEST_SHARE,
    licence: str = UNSTATED,
    force: bool = False,
) -> Imported:
    """Read tables, check them and write them as a set; nothing is written when one is wrong.

    A row without an id is named by its number. Where no column says the split of a sample, it is
    chosen by a hash: of the words of a request, and of a conversation's user or thread.

    Args:
        kind: of set.
        files: one for each part of it; for an optional one perhaps none.
        target: the folder to write.
        columns: what the files' columns are.
        test_share: of the samples that get the split test where none is given, 0 to 1.
        licence: of the data.
        force: replace a set that is there.

    Raises:
        DatasetError: a file is malformed, or parts do not fit together.
    """
    with new_folder(target, force) as folder:
        tables = {
            part: Table(files[part], part, model, read_rows(files[part]), columns)
            for part, model in kind.parts.items()
            if part in files
        }
        split = (
            "by the file's column"
            if tables[kind.samples].has("split")
            else f"by hash, {test_share:g} test"
        )
        parts: Parts = {}
        for part, table in tables.items():
            parts[part] = _records(kind, table, parts, test_share)
            write_rows(folder / f"{part}.jsonl", table.model, parts[part])
        try:
            kind.refuse_mixed(parts)
            data = kind.read(folder)
        except DatasetError as error:  # its paths are those of a folder that is about to go
            raise DatasetError(str(error).replace(f"{folder}/", "")) from None
        sections = _sections(kind, parts, files, columns, split, licence)
        write_datasheet(folder / DATASHEET, target.name, sections)
    ignored = {part: table.ignored for part, table in tables.items() if table.ignored}
    return Imported(data, ignored, split)


def _records(kind: Kind, table: Table, before: Parts, test_share: float) -> list[Any]:
    samples = table.part == kind.samples
    table.check_columns({"id", "split"} if samples else {"id"})
    key_of = kind.split_keys(before) if samples and not table.has("split") else None
    found = []
    for number in range(1, len(table.rows) + 1):
        fields = table.fields(number)
        if "id" in table.model.model_fields:
            fields.setdefault("id", str(number))
        if key_of is None:
            found.append(table.record(number, fields))
        else:  # whatever the split hangs on is checked first
            record = table.record(number, fields | {"split": "test"})
            split = split_by_hash(key_of(record), test_share)
            found.append(record.model_copy(update={"split": split}))
    return found


def _sections(
    kind: Kind,
    parts: Parts,
    files: dict[str, Path],
    columns: Columns,
    split: str,
    licence: str,
) -> dict[str, str]:
    counted = Counter(sample.split for sample in parts[kind.samples])
    sources = ", ".join(
        f"`{part}` from `{path.name}` (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()})"
        for part, path in files.items()
    )
    named = ", ".join(f"{name} from `{column}`" for name, column in columns.named.items())
    return {
        "What": f"A set of {kind.name}, imported: "
        + ", ".join(f"{len(records)} {part}" for part, records in parts.items())
        + ".",
        "Source": f"{sources}.",
        "Columns": f"{named or 'as the fields are named'}.",
        "Splits": f"{split}: {counted['tune']} tune, {counted['test']} test.",
        "Licence": f"{licence}.",
    }
