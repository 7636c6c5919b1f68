"""What a sender may send, and the form it is kept in."""

import re
import unicodedata
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.chat.errors import ApiError, ErrorCode

# Text is kept and shown as plain text, so markup needs no cleaning; what is removed is what no
# reader should get to see at all: control characters other than tab and newline.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029")

THREAD_ID = r"^[A-Za-z0-9_-]+$"
MESSAGE_KEY = r"^[0-9a-f]{40}$"  # as `harness.events.message_key` makes it
ThreadId = Annotated[str, Field(min_length=1, max_length=64, pattern=THREAD_ID)]
IdempotencyKey = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class Body(BaseModel):
    """A request's body; a misspelled field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class SendRequest(Body):
    """A message to send.

    Attributes:
        thread_id: the sender's thread.
        text: at most 64 KiB of UTF-8.
        idempotency_key: the client's own; sending it again is the same message.
        model: a configured model's name; the default one when absent.
    """

    thread_id: ThreadId
    text: str
    idempotency_key: IdempotencyKey
    model: str | None = Field(default=None, min_length=1, max_length=100)


class ReplyRequest(Body):
    """An answer to a tool call's question (`text`, at most 64 KiB) or approval (`approved`)."""

    call_id: str = Field(min_length=1, max_length=200)
    approved: bool | None = None
    text: str | None = None


class FeedbackRequest(Body):
    """Which of the memories that an answer was shown had helped; none if none did."""

    helpful: list[Annotated[str, Field(pattern=THREAD_ID, max_length=64)]] = Field(max_length=50)


def clean_text(text: str, max_bytes: int) -> str:
    """The text as it is kept: NFC, newline line ends, no control characters, no outer blanks.

    Args:
        text: as it was sent.
        max_bytes: its largest size in UTF-8.

    Raises:
        ApiError: it is too large, is empty, or is no Unicode text.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            f"text holds half of a surrogate pair at position {error.start}",
            "send valid Unicode",
        ) from error
    cleaned = _CONTROL.sub("", _LINE_ENDS.sub("\n", text))
    cleaned = unicodedata.normalize("NFC", cleaned).strip()
    size = max(size, len(cleaned.encode()))
    if size > max_bytes:
        raise ApiError(
            ErrorCode.TOO_LARGE,
            f"text has {size} bytes in UTF-8; at most {max_bytes} are taken",
            "send a shorter text",
        )
    if not cleaned:
        raise ApiError(ErrorCode.EMPTY_TEXT, "text is empty", "send some text")
    return cleaned
