"""The turns of one answer: what a model said, which tools it asked for and what they gave."""

from dataclasses import dataclass, field

from pydantic import BaseModel

from harness.context.gather import GatheredContext
from harness.models import ContextRecord, ToolRequest, Usage
from harness.tools.registry import ToolSpec


class CallOutcome(BaseModel):
    """What a tool call gave, as the model is told.

    Attributes:
        content: the result as JSON text, or why there is none.
        wrong: whether the call itself could not run as it was: the model may correct it.
    """

    call_id: str
    name: str
    ok: bool
    content: str
    wrong: bool = False


class PastTurn(BaseModel):
    """A turn that is over: `outcomes[i]` belongs to `calls[i]`."""

    text: str = ""
    calls: list[ToolRequest] = []
    outcomes: list[CallOutcome] = []

    @property
    def wrong(self) -> bool:
        """Whether a call of it could not run as it was."""
        return any(outcome.wrong for outcome in self.outcomes)


@dataclass(frozen=True)
class TurnRequest:
    """What the next turn of an answer starts from.

    Attributes:
        text: the user's message.
        context: what belongs to it.
        tools: what the model may call, most fitting first; empty when it must answer.
        past: the turns so far.
        call_prefix: makes the ids of this turn's calls unique among all messages.
        max_calls: how many calls it may make; further ones are dropped. None for any number, 0 when
            this is the answer's last turn.
    """

    text: str
    context: GatheredContext
    tools: list[ToolSpec] = field(default_factory=list)
    past: list[PastTurn] = field(default_factory=list)
    call_prefix: str = "call"
    max_calls: int | None = None

    @property
    def repairs(self) -> bool:
        """Whether the model is to correct what it called last."""
        return self.max_calls != 0 and bool(self.past) and self.past[-1].wrong


class TurnResult(BaseModel):
    """What one turn of a model gave.

    Attributes:
        prompt: how its prompt was filled.
        shown: ids of the memories and documents in it; None where that was not kept.
        decided_by: which model chose the calls, and under which protocol.
        ttft_ms: to the first piece of text or of a call, None when there was neither.
        duration_ms: of all the turn's requests together.
        asked_at: when its first request was made, in milliseconds UTC; None if not kept.
        first_text_at: when its first text came, in milliseconds UTC; None when it had none.
    """

    text: str
    tool_calls: list[ToolRequest] = []
    usage: Usage = Usage()
    model: str
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    asked_at: int | None = None
    first_text_at: int | None = None
    decided_by: str = ""
    prompt: ContextRecord | None = None
    shown: list[str] | None = None
