"""The domain's types. Times are integer milliseconds UTC, durations are milliseconds."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FINISHED = frozenset({"completed", "failed", "cancelled"})


class Domain(BaseModel):
    """A value of the domain; camelCase in Convex, snake_case here."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


class Status(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to the message."""
        return self.value in FINISHED


class Flow(StrEnum):
    """Which of the two flows answers a message."""

    BACKGROUND = "background"
    INLINE = "inline"


class Effect(StrEnum):
    """What running a tool does to the world."""

    READ = "read"
    WRITE = "write"
    EXTERNAL = "external"


class ToolCallStatus(StrEnum):
    """Where a tool call stands; `unknown` began, was never seen to end and must not run again."""

    PLANNED = "planned"
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class Usage(Domain):
    """Tokens of one or more model calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Sum two usages field by field."""
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
        )


class Failure(Domain):
    """Why something failed, in words for its reader."""

    code: str
    message: str


class ShownMemory(Domain):
    """A memory, or a piece of a document, that an answer was shown.

    `why` is each signal's share of the score; what was kept before these were has them not.
    """

    source: str
    score: float
    text: str
    id: str | None = None
    thread_id: str | None = None
    order: int | None = None
    title: str | None = None
    why: dict[str, float] | None = None


class ContextRecord(Domain):
    """How an answer's last prompt was filled, by section.

    Attributes:
        tokens: what each section took.
        left_out: what had no room: items, but for the message, whose tokens are counted.
        budget: tokens that the prompt had; the rest of the window is the answer's.
    """

    tokens: dict[str, int]
    left_out: dict[str, int]
    budget: int


class ThreadSummary(Domain):
    """What older messages of a thread said, those up to `through_order` with it."""

    text: str
    through_order: int
    model: str


class ToolScore(Domain):
    """A tool and the probability that it is the one that serves a message, 0–1."""

    name: str
    score: float


class Selection(Domain):
    """Which tools a message's model was offered, and why.

    Attributes:
        needed: whether any tool serves better than none.
        candidates: the tools to offer, best first; none when none is needed.
        scores: of the tools that came closest, offered or not, best first.
        why: in a sentence for people.
    """

    needed: bool
    candidates: list[ToolScore] = []
    scores: list[ToolScore] = []
    why: str = ""


class Thread(Domain):
    """A conversation of one user."""

    id: str = Field(alias="_id")
    title: str
    kind: Literal["standard", "critical"] = "standard"
    status: Literal["active", "archived"] = "active"
    last_message_at: int = 0
    created_at: int = 0
    permissions: dict[str, Literal["auto", "ask", "never"]] = {}  # of tools, by name


class Message(Domain):
    """A message of a thread."""

    id: str = Field(alias="_id")
    thread_id: str
    role: Literal["user", "assistant"]
    speaker: str | None = None
    content: str
    sent_at: int
    order: int
    status: Status
    flow: Flow | None = None
    message_key: str | None = None
    inngest_job_id: str | None = None
    model: str | None = None
    usage: Usage | None = None
    latency_ms: float | None = None
    error: Failure | None = None
    shown: list[ShownMemory] = []
    context: ContextRecord | None = None
    selection: Selection | None = None
    attempts: list[int] = []
    finished_at: int | None = None


class Delta(Domain):
    """One persisted piece of streamed text; `seq` has no gaps within a message."""

    seq: int
    turn: int
    attempt: int
    text: str


class Question(Domain):
    """What a waiting tool call asks its user."""

    kind: Literal["approval", "question"]
    prompt: str
    expires_at: int


class Reply(Domain):
    """A user's answer to a question (`text`) or an approval (`approved`)."""

    approved: bool | None = None
    text: str | None = None
    at: int = 0


class ToolCall(Domain):
    """A tool call of a message as Convex keeps it."""

    call_id: str
    message_key: str
    turn: int
    index: int
    name: str
    arguments: str
    effect: Effect
    idempotent: bool
    status: ToolCallStatus
    chosen_by: str | None = None
    question: Question | None = None
    reply: Reply | None = None
    result: str | None = None
    error: str | None = None
    started_at: int | None = None
    finished_at: int | None = None


class StreamView(Domain):
    """What a reader of one message's stream is pushed.

    `deltas` are those after the sequence number asked for; the text is the join of each turn's
    deltas whose attempt is the turn's winner (`attempts[turn]`). `content` is set once finished.
    """

    message_key: str
    thread_id: str
    order: int
    status: Status
    model: str | None = None
    error: Failure | None = None
    attempts: list[int] = []
    next_seq: int = 0
    content: str | None = None
    deltas: list[Delta] = []


class Ack(BaseModel):
    """What `send_message` answers."""

    message_key: str
    thread_id: str
    event_id: str
    run: Literal["pending"] = "pending"


class ToolRequest(BaseModel):
    """A call a model asked for; `arguments` as parsed JSON, or `error` when they were malformed."""

    call_id: str
    name: str
    arguments: dict[str, Any] = {}
    error: str | None = None
