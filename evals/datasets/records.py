"""What every dataset becomes, wherever it comes from."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import HarnessError

Split = Literal["tune", "test"]
SPLITS: tuple[Split, ...] = ("tune", "test")


class DatasetError(HarnessError):
    """A dataset that is missing or malformed."""


class Record(BaseModel):
    """A frozen record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(Record):
    """One message of a conversation; `sent_at` is in milliseconds UTC.

    `user` is whose thread it is where somebody has several: what is said in one of them can be
    found from the others.
    """

    id: str
    thread: str
    role: Literal["user", "assistant"]
    text: str
    sent_at: int
    speaker: str | None = None
    user: str | None = None


class Question(Record):
    """A question about a conversation and the messages that hold its answer.

    `asked_at` is in milliseconds UTC: what was said later can't be found. None asks after the end.
    """

    id: str
    thread: str
    split: Split
    category: str = Field("question", min_length=1)
    text: str
    evidence: tuple[str, ...]
    answer: str = ""
    asked_at: int | None = None


class CatalogueTool(Record):
    """A tool that may be selected; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any] = {"type": "object", "properties": {}}


class ToolQuery(Record):
    """A request and the tools that serve it; none when no tool is needed.

    `category` names the part of its set that is reported apart, where the set has such parts.
    """

    id: str
    split: Split
    text: str
    tools: tuple[str, ...]
    category: str | None = None


class DatasetInfo(Record):
    """What a run records of its data.

    `sha256` covers every data file, whatever the split; `notes` say what was chosen in reading it.
    """

    name: str
    sha256: str
    split: str
    notes: dict[str, str | int] = {}


class ConversationSet(Record):
    """Conversations by thread, in order, with the questions of one split."""

    info: DatasetInfo
    threads: dict[str, tuple[Turn, ...]]
    questions: tuple[Question, ...]

    def user_of(self, thread: str) -> str:
        """Whose thread it is; one that names nobody is its own user's only one."""
        return self.threads[thread][0].user or thread


class ToolSet(Record):
    """A catalogue of tools with the queries of one split."""

    info: DatasetInfo
    tools: tuple[CatalogueTool, ...]
    queries: tuple[ToolQuery, ...]


class CallCase(Record):
    """A conversation, the functions that may be called, and the calls that answer it.

    Attributes:
        question: the messages of each turn, with `role` and `content`.
        functions: as the set describes them; a set may have types of its own in `parameters`.
        truth: the calls that are wanted, each `{name: {argument: [accepted values]}}`; empty where
            none is right.
    """

    id: str
    split: Split
    category: str
    question: tuple[tuple[dict[str, str], ...], ...]
    functions: tuple[dict[str, Any], ...]
    truth: tuple[dict[str, dict[str, list[Any]]], ...]


class CallSet(Record):
    """Cases of one split."""

    info: DatasetInfo
    cases: tuple[CallCase, ...]
