"""Datasets from a folder of JSONL files: validated, hashed and cut to one fixed split.

A conversation set is `messages.jsonl` and `questions.jsonl`; a tool set is `catalogue.jsonl` and
`queries.jsonl`. The split is a field of each question or query, so it cannot drift.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import HarnessError

Split = Literal["tune", "test"]
SPLITS: tuple[Split, ...] = ("tune", "test")
OWN = Path(__file__).parent
CONVERSATION_FILES = ("messages.jsonl", "questions.jsonl")
TOOL_FILES = ("catalogue.jsonl", "queries.jsonl")


class DatasetError(HarnessError):
    """A dataset that is missing or malformed."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Record):
    """One message of a conversation; `sent_at` is in milliseconds UTC."""

    id: str
    thread: str
    role: Literal["user", "assistant"]
    text: str
    sent_at: int
    speaker: str | None = None


class Question(_Record):
    """A question about a conversation and the messages that hold its answer."""

    id: str
    thread: str
    split: Split
    category: Literal["single", "multi", "temporal", "preference", "update"]
    text: str
    evidence: tuple[str, ...]
    answer: str


class CatalogueTool(_Record):
    """A tool that may be selected; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolQuery(_Record):
    """A request and the tools that serve it; none when no tool is needed."""

    id: str
    split: Split
    text: str
    tools: tuple[str, ...]


class DatasetInfo(_Record):
    """What a run records of its data; `sha256` covers every data file, whatever the split."""

    name: str
    sha256: str
    split: str


class ConversationSet(_Record):
    """Conversations by thread, in order, with the questions of one split."""

    info: DatasetInfo
    threads: dict[str, tuple[Turn, ...]]
    questions: tuple[Question, ...]


class ToolSet(_Record):
    """A catalogue of tools with the queries of one split."""

    info: DatasetInfo
    tools: tuple[CatalogueTool, ...]
    queries: tuple[ToolQuery, ...]


RecordT = TypeVar("RecordT", bound=_Record)


def find_dataset(name: str, files: tuple[str, ...], data_dir: Path | None = None) -> Path:
    """The folder of a dataset: below `data_dir` if it is there, else among the project's own.

    Args:
        name: the folder's name.
        files: the files it must hold.
        data_dir: holds one folder for each dataset.

    Raises:
        DatasetError: there is none, or a file of it is missing.
    """
    places = [place / name for place in (data_dir, OWN) if place is not None]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None or not name:
        known = ", ".join(p.parent.name for p in sorted(OWN.glob(f"*/{files[0]}")))
        raise DatasetError(
            f"dataset {name!r} not found in {' or '.join(str(p.parent) for p in places)}; "
            f"the project's own: {known}"
        )
    for file in files:
        if not (folder / file).is_file():
            raise DatasetError(f"dataset {name!r}: {folder / file} is missing; it needs {files}")
    return folder


def folder_sha256(folder: Path, files: Iterable[str]) -> str:
    """One hash over the names and bytes of a dataset's files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = (folder / file).read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _read(path: Path, model: type[RecordT]) -> list[RecordT]:
    records: list[RecordT] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
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


def _refuse_duplicates(path: Path, ids: list[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DatasetError(f"{path}: {name!r} stands there twice; ids and names are unique")
        seen.add(name)


def _check_split(split: str) -> None:
    if split not in (*SPLITS, "all"):
        raise DatasetError(f"split {split!r} is unknown; use {', '.join(SPLITS)} or all")


def load_conversations(
    split: str = "test", *, name: str = "conversations", data_dir: Path | None = None
) -> ConversationSet:
    """Read a conversation set.

    Args:
        split: `tune`, `test` or `all`; only threads with a question of the split are kept.
        name: its folder's name.
        data_dir: see `find_dataset`.

    Raises:
        DatasetError: missing, malformed, or a question points at an unknown message.
    """
    _check_split(split)
    folder = find_dataset(name, CONVERSATION_FILES, data_dir)
    turns = _read(folder / "messages.jsonl", Turn)
    _refuse_duplicates(folder / "messages.jsonl", [turn.id for turn in turns])
    questions = _read(folder / "questions.jsonl", Question)
    _refuse_duplicates(folder / "questions.jsonl", [question.id for question in questions])
    thread_of = {turn.id: turn.thread for turn in turns}
    for question in questions:
        _check_evidence(folder, question, thread_of)
    kept = tuple(q for q in questions if split in (q.split, "all"))
    wanted = {question.thread for question in kept}
    threads: dict[str, list[Turn]] = {}
    for turn in turns:
        if turn.thread in wanted:
            threads.setdefault(turn.thread, []).append(turn)
    return ConversationSet(
        info=DatasetInfo(name=name, sha256=folder_sha256(folder, CONVERSATION_FILES), split=split),
        threads={key: tuple(value) for key, value in threads.items()},
        questions=kept,
    )


def _check_evidence(folder: Path, question: Question, thread_of: dict[str, str]) -> None:
    where = f"{folder / 'questions.jsonl'}: question {question.id!r}"
    if not question.evidence:
        raise DatasetError(f"{where}: evidence is empty; name at least one message id")
    for message in question.evidence:
        if message not in thread_of:
            raise DatasetError(f"{where}: evidence {message!r} is no message of messages.jsonl")
        if thread_of[message] != question.thread:
            raise DatasetError(
                f"{where}: evidence {message!r} is of thread {thread_of[message]!r}, "
                f"not {question.thread!r}"
            )


def load_tools(
    split: str = "test", *, name: str = "tools", data_dir: Path | None = None
) -> ToolSet:
    """Read a tool set.

    Args:
        split: `tune`, `test` or `all`; the catalogue is the same for each.
        name: its folder's name.
        data_dir: see `find_dataset`.

    Raises:
        DatasetError: missing, malformed, or a query names an unknown tool.
    """
    _check_split(split)
    folder = find_dataset(name, TOOL_FILES, data_dir)
    tools = _read(folder / "catalogue.jsonl", CatalogueTool)
    _refuse_duplicates(folder / "catalogue.jsonl", [tool.name for tool in tools])
    queries = _read(folder / "queries.jsonl", ToolQuery)
    _refuse_duplicates(folder / "queries.jsonl", [query.id for query in queries])
    names = {tool.name for tool in tools}
    for query in queries:
        for tool in query.tools:
            if tool not in names:
                raise DatasetError(
                    f"{folder / 'queries.jsonl'}: query {query.id!r}: tool {tool!r} is not in "
                    "catalogue.jsonl"
                )
    return ToolSet(
        info=DatasetInfo(name=name, sha256=folder_sha256(folder, TOOL_FILES), split=split),
        tools=tuple(tools),
        queries=tuple(query for query in queries if split in (query.split, "all")),
    )
