"""Reading and hashing the files of a dataset, and fixed splits for sets that have none."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from evals.datasets.records import DatasetError, DatasetInfo, Record, Split

RecordT = TypeVar("RecordT", bound=Record)
_WORD = re.compile(r"[^\W_]+")


def folder_sha256(folder: Path, files: Iterable[str]) -> str:
    """One hash over the names and bytes of a dataset's files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = (folder / file).read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def first_there(folder: Path, names: Iterable[str]) -> Path:
    """The first of these files that a folder has; it has one."""
    return next(folder / name for name in names if (folder / name).is_file())


def read_records(path: Path, model: type[RecordT]) -> list[RecordT]:
    """The records of a JSONL file; a line that is wrong is named."""
    records: list[RecordT] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            records.append(model.model_validate(json.loads(line)))
        except json.JSONDecodeError as error:
            raise DatasetError(
                f"{path}:{number}: not JSON ({error.msg}); one object a line"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "record"
            raise DatasetError(f"{path}:{number}: {field}: {first['msg'].lower()}") from None
    if not records:
        raise DatasetError(f"{path}: no records; it needs at least one line")
    return records


def refuse_duplicates(path: Path, ids: Iterable[str]) -> None:
    """Refuse ids or names that stand twice in a file."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DatasetError(f"{path}: {name!r} stands there twice; ids and names are unique")
        seen.add(name)


def _lines(path: Path) -> list[str]:
    """The lines of a file; a text of JSON may hold other ends of line than `\\n` as they are."""
    return path.read_text("utf-8").split("\n")


def read_lines(path: Path) -> list[Any]:
    """The values of a JSONL file."""
    found = []
    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DatasetError(f"{path}:{number}: not JSON ({error.msg})") from None
    return found


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None


def read_csv(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV file, which must have these columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{path}: column {missing[0]!r} is missing; it needs {columns}")
        return list(reader)


def words_of(text: str) -> tuple[str, ...]:
    """A text's words in lower case: texts that differ in nothing else are the same text."""
    return tuple(_WORD.findall(text.casefold()))


def asked_words(question: Iterable[Iterable[dict[str, str]]]) -> str:
    """The words of all messages of a case; see `words_of`."""
    said = (message.get("content", "") for turn in question for message in turn)
    return " ".join(words_of(" ".join(said)))


def split_by_hash(key: str, test_share: float) -> Split:
    """The split that a row belongs to, by its own text or id and nothing else.

    So a row never changes sides, whatever else a file holds.

    Args:
        key: of the row.
        test_share: of all rows, 0 to 1.
    """
    first = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return "test" if first / 2**64 < test_share else "tune"


def info_of(name: str, folder: Path, files: Iterable[str], **notes: str | int) -> DatasetInfo:
    """The record of a whole set, before a split is cut from it."""
    return DatasetInfo(name=name, sha256=folder_sha256(folder, files), split="all", notes=notes)
