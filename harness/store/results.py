"""What the store's calls answer and take, beyond the domain's own types."""

# ruff: noqa: RUF012 -- pydantic copies mutable defaults
from typing import Generic, Literal, TypeVar

from harness.models import (
    Domain,
    Effect,
    Message,
    Reply,
    Status,
    StreamView,
    ThreadSummary,
    ToolCall,
)

Item = TypeVar("Item")
Stop = Literal["cancelled", "finished", "fenced"]


class Exchange(Domain):
    """The two messages of one key; a user's may stand alone for a moment."""

    user: Message | None = None
    assistant: Message | None = None


class ImportedMessage(Domain):
    """A message that was written elsewhere, with its own time and speaker."""

    role: Literal["user", "assistant"]
    speaker: str | None = None
    content: str
    sent_at: int


class ImportedId(Domain):
    """Where an imported message landed."""

    id: str
    order: int


class Uncovered(Domain):
    """A thread's summary, and the messages that are next to be covered by it, oldest first."""

    summary: ThreadSummary | None = None
    messages: list[Message]


class Begun(Domain):
    """The answer to a run that asks for its thread's turn.

    `next` is the key of the thread's lowest unfinished message: whoever a stop frees the turn for.
    `preferences_version` is that of the user's preferences by now.
    """

    state: Literal["go", "wait", "stop"]
    user_message_id: str
    message_id: str
    order: int
    status: Status
    next: str | None = None
    preferences_version: int | None = None


class Attempt(Domain):
    """A model call's fencing number and the sequence number its first delta takes."""

    attempt: int
    seq: int
    stop: Stop | None = None


class Appended(Domain):
    """Whether the writer goes on, and the sequence number its next delta takes."""

    stop: Stop | None = None
    next_seq: int


class Ended(Domain):
    """How a message ended; `applied` is false when it had ended before."""

    applied: bool
    status: Status
    next: str | None = None


class Cancelled(Domain):
    """What a cancel found; `kept` means that the message has yet to begin."""

    state: Literal["cancelled", "finished", "kept"]
    next: str | None = None


class PlannedCall(Domain):
    """A tool call that a turn's model asked for; `arguments` is JSON text."""

    call_id: str
    index: int
    name: str
    arguments: str
    effect: Effect
    idempotent: bool
    chosen_by: str | None = None


class StartedCall(Domain):
    """Whether a tool call may run."""

    state: Literal["run", "done", "unknown", "stop"]
    call: ToolCall


class Awaited(Domain):
    """Whether to give up on a tool call, and its user's reply when there is one."""

    stop: Stop | None = None
    reply: Reply | None = None


class Replied(Domain):
    """What became of a reply: the first one is kept, one after the call's end is closed out."""

    state: Literal["kept", "already", "closed"]


class Preference(Domain):
    """One remembered preference of a user."""

    key: str
    value: str
    updated_at: int = 0


class CurrentPreferences(Domain):
    """A user's preferences; `version` tells this state of them from every other."""

    version: int
    preferences: list[Preference]

    @property
    def by_key(self) -> dict[str, str]:
        """Their values by key."""
        return {preference.key: preference.value for preference in self.preferences}


class Flag(Domain):
    """A feature flag; `percentage` of users, 0–100."""

    key: str
    version: int
    enabled: bool
    percentage: float
    kinds: list[str] = []
    subjects: list[str] = []
    updated_at: int = 0


class AnalyticsEvent(Domain):
    """One recorded event."""

    event: str
    at: int
    subject: str | None = None
    thread_id: str | None = None
    message_key: str | None = None
    props: dict[str, str | float | bool] = {}


class Page(Domain, Generic[Item]):
    """One page of a list; hand `continue_cursor` back for the next."""

    page: list[Item]
    is_done: bool
    continue_cursor: str


class StreamState(StreamView):
    """A reader's whole view of a stream: `deltas` are the new ones, `text` is everything so far."""

    text: str = ""
