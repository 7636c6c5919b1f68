"""What the API answers of the domain's types: what a client may use, in snake case."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from harness.models import Flow, Status
from harness.store import Page

Item = TypeVar("Item", bound="View")


class View(BaseModel):
    """Read from a domain value by its attributes."""

    model_config = ConfigDict(from_attributes=True)


class ThreadView(View):
    """A conversation; times are integer milliseconds UTC."""

    id: str
    title: str
    kind: Literal["standard", "critical"]
    status: Literal["active", "archived"]
    last_message_at: int
    created_at: int
    permissions: dict[str, Literal["auto", "ask", "never"]]


class FailureView(View):
    """Why a message failed."""

    code: str
    message: str


class UsageView(View):
    """Tokens that an answer took."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class ShownView(View):
    """A memory, or a piece of a document, that an answer was shown; `why` is by signal."""

    source: str
    score: float
    text: str
    id: str | None
    thread_id: str | None
    order: int | None
    title: str | None
    why: dict[str, float] | None


class ContextView(View):
    """How an answer's prompt was filled, in tokens and items by section."""

    tokens: dict[str, int]
    left_out: dict[str, int]
    budget: int


class ToolScoreView(View):
    """A tool and the probability that it is the one that serves."""

    name: str
    score: float


class SelectionView(View):
    """Which tools the answer's model was offered, and why."""

    needed: bool
    candidates: list[ToolScoreView]
    scores: list[ToolScoreView]
    why: str


class MessageView(View):
    """A message of a thread; times are integer milliseconds UTC."""

    id: str
    thread_id: str
    role: Literal["user", "assistant"]
    speaker: str | None
    content: str
    sent_at: int
    order: int
    status: Status
    flow: Flow | None
    message_key: str | None
    model: str | None
    usage: UsageView | None
    latency_ms: float | None
    error: FailureView | None
    shown: list[ShownView]
    context: ContextView | None
    selection: SelectionView | None
    finished_at: int | None


class ExchangeView(View):
    """A message and its answer."""

    user: MessageView | None
    assistant: MessageView | None


class PreferenceView(View):
    """One preference of the user."""

    key: str
    value: str
    updated_at: int


class PageView(BaseModel, Generic[Item]):
    """One page of a list; send `cursor` back for the next, until it is null."""

    items: list[Item]
    cursor: str | None


def page_of(view: type[Item], page: Page[Any]) -> PageView[Item]:
    """A page of Convex as the API answers it."""
    items = [view.model_validate(item) for item in page.page]
    return PageView(items=items, cursor=None if page.is_done else page.continue_cursor)
