"""Sets in the project's own format: a folder of JSONL files.

A conversation set is `messages.jsonl` and `questions.jsonl`, a tool set `catalogue.jsonl` and
`queries.jsonl`, a set of calls `calls.jsonl`. The split is a field of each question, query or case,
so it cannot drift.
"""

from pathlib import Path

from evals.datasets.files import info_of, read_records, refuse_duplicates
from evals.datasets.records import (
    CallCase,
    CallSet,
    CatalogueTool,
    ConversationSet,
    DatasetError,
    Question,
    ToolQuery,
    ToolSet,
    Turn,
)

CONVERSATION_FILES = ("messages.jsonl", "questions.jsonl")
TOOL_FILES = ("catalogue.jsonl", "queries.jsonl")
CALL_FILES = ("calls.jsonl",)


def read_conversations(folder: Path) -> ConversationSet:
    """Read a conversation set whole.

    Raises:
        DatasetError: malformed, or a question points at an unknown message.
    """
    turns = read_records(folder / "messages.jsonl", Turn)
    refuse_duplicates(folder / "messages.jsonl", [turn.id for turn in turns])
    questions = read_records(folder / "questions.jsonl", Question)
    refuse_duplicates(folder / "questions.jsonl", [question.id for question in questions])
    threads: dict[str, list[Turn]] = {}
    for turn in turns:
        threads.setdefault(turn.thread, []).append(turn)
    data = ConversationSet(
        info=info_of(folder.name, folder, CONVERSATION_FILES),
        threads={key: tuple(value) for key, value in threads.items()},
        questions=tuple(questions),
    )
    _check_users(folder / "messages.jsonl", turns)
    said = {turn.id: turn for turn in turns}
    for question in questions:
        _check_evidence(folder, question, data, said)
    return data


def read_tools(folder: Path) -> ToolSet:
    """Read a tool set whole.

    Raises:
        DatasetError: malformed, or a query names an unknown tool.
    """
    tools = read_records(folder / "catalogue.jsonl", CatalogueTool)
    refuse_duplicates(folder / "catalogue.jsonl", [tool.name for tool in tools])
    queries = read_records(folder / "queries.jsonl", ToolQuery)
    refuse_duplicates(folder / "queries.jsonl", [query.id for query in queries])
    names = {tool.name for tool in tools}
    for query in queries:
        for tool in query.tools:
            if tool not in names:
                raise DatasetError(
                    f"{folder / 'queries.jsonl'}: query {query.id!r}: tool {tool!r} is not in "
                    "catalogue.jsonl"
                )
    return ToolSet(
        info=info_of(folder.name, folder, TOOL_FILES), tools=tuple(tools), queries=tuple(queries)
    )


def read_calls(folder: Path) -> CallSet:
    """Read a set of calls whole.

    Raises:
        DatasetError: malformed, or a case wants a function that it does not describe.
    """
    path = folder / CALL_FILES[0]
    cases = read_records(path, CallCase)
    refuse_duplicates(path, [case.id for case in cases])
    for case in cases:
        described = {function.get("name") for function in case.functions}
        for wanted in (name for call in case.truth for name in call):
            if wanted not in described:
                raise DatasetError(
                    f"{path}: case {case.id!r}: function {wanted!r} is not among its functions"
                )
    return CallSet(info=info_of(folder.name, folder, CALL_FILES), cases=tuple(cases))


def _check_users(path: Path, turns: list[Turn]) -> None:
    user_of: dict[str, str | None] = {}
    for turn in turns:
        if user_of.setdefault(turn.thread, turn.user) != turn.user:
            raise DatasetError(
                f"{path}: message {turn.id!r}: user {turn.user!r}, though thread {turn.thread!r} "
                f"is of user {user_of[turn.thread]!r}; a thread has one user"
            )


def _check_evidence(
    folder: Path, question: Question, data: ConversationSet, said: dict[str, Turn]
) -> None:
    where = f"{folder / 'questions.jsonl'}: question {question.id!r}"
    if question.thread not in data.threads:
        raise DatasetError(f"{where}: thread {question.thread!r} is not in messages.jsonl")
    if not question.evidence:
        raise DatasetError(f"{where}: evidence is empty; name at least one message id")
    for message in question.evidence:
        if message not in said:
            raise DatasetError(f"{where}: evidence {message!r} is no message of messages.jsonl")
        turn = said[message]
        if data.user_of(turn.thread) != data.user_of(question.thread):
            raise DatasetError(
                f"{where}: evidence {message!r} is of thread {turn.thread!r}, "
                f"not {question.thread!r}"
            )
        if question.asked_at is not None and turn.sent_at >= question.asked_at:
            raise DatasetError(
                f"{where}: evidence {message!r} was sent at {turn.sent_at}, not before the "
                f"question was asked at {question.asked_at}"
            )
