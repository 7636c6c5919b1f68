"""The conversation that the demo sends, and what it looks for in the answers."""

import json
from pathlib import Path

from pydantic import BaseModel, ValidationError

from harness.errors import HarnessError

FOLDER = Path(__file__).parent
SHIPPED = FOLDER / "conversation.json"
WORKSPACE = FOLDER / "workspace"


class Earlier(BaseModel):
    """Something said some days before the demo."""

    days_ago: int
    role: str
    content: str


class Expectation(BaseModel):
    """What the demo counts as right; nothing outside the demo sees it."""

    tools: list[str] = []
    recalls: int | None = None  # index into `earlier` of the message that must be remembered
    shows: str | None = None  # a word that must be in the answer, its memories or a tool's result


class Turn(BaseModel):
    """One message, and what its user replies when asked."""

    text: str
    reply: str = "Yes."
    expects: Expectation = Expectation()


class Conversation(BaseModel):
    """A conversation to send."""

    title: str
    earlier: list[Earlier] = []
    messages: list[Turn]


def load(file: Path = SHIPPED) -> Conversation:
    """Read a conversation.

    Args:
        file: JSON in the shape of the shipped `conversation.json`.

    Raises:
        HarnessError: when the file is missing or is not such a conversation.
    """
    try:
        return Conversation.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise HarnessError(f"there is no conversation file {file}") from None
    except (ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise HarnessError(
            f"{file} is not a conversation ({first})", f"Its shape is that of {SHIPPED.name}."
        ) from None
