"""The product events that a message ends with, and the model calls in them."""

from pydantic import BaseModel, TypeAdapter

from harness.telemetry.analytics import Props

COMPLETED = "message.completed"
FAILED = "message.failed"
MODEL_CALLS = "model_calls"  # the property that holds them, as JSON


class ModelCall(BaseModel):
    """One turn's model call, as it is recorded.

    Attributes:
        step: the one that it was made in.
        at_ms: when it was asked, since the message was sent; None where that was not kept.
        duration_ms: of all the turn's requests together.
        ttft_ms: to the first piece of text or of a call, None when there was neither.
        characters: of its text, which is the next part of the answer.
    """

    step: str
    model: str
    at_ms: float | None = None
    duration_ms: float
    ttft_ms: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    characters: int = 0


_CALLS = TypeAdapter(list[ModelCall])


def write_model_calls(calls: list[ModelCall]) -> Props:
    """The property that holds the model calls."""
    return {MODEL_CALLS: _CALLS.dump_json(calls, exclude_none=True).decode()}


def read_model_calls(props: Props) -> list[ModelCall]:
    """The model calls of an event, in their order; none in one of an older version."""
    return _CALLS.validate_json(str(props.get(MODEL_CALLS, "[]")))
