"""Whole answers of model servers on disk, by what was asked."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

_FORMAT = 1  # of the files and of what the keys cover


class KeptAnswer(BaseModel):
    """An answer as it came over the wire, and how long it took when it was made.

    Attributes:
        body: all of it, an event stream's events too.
        first_ms: from the request to the first token, None for an answer that came in one piece.
        duration_ms: from the request to its end.
    """

    content_type: str
    body: str
    first_ms: float | None
    duration_ms: float


class AnswerStore:
    """One file an answer; a file is there whole or not at all, whoever else writes.

    Args:
        folder: holds them; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> KeptAnswer | None:
        """The answer kept for a key; None too for a file that is none."""
        try:
            return KeptAnswer.model_validate_json(self._path(key).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def put(self, key: str, answer: KeptAnswer) -> None:
        """Keep an answer."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=path.parent, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(answer.model_dump_json())
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


def request_key(who: str, path: str, request: dict[str, Any], salt: str) -> str:
    """What two requests share when one's answer is the other's too.

    Ids of tool calls are the sender's own and differ from run to run: they count by their order.

    Args:
        who: what answers, wherever it listens.
        path: of the request.
        request: its JSON body.
        salt: tells apart answers to the same request, such as those of repeats.
    """
    asked = json.dumps([_FORMAT, who, path, _with_plain_ids(request), salt], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()


def _with_plain_ids(request: dict[str, Any]) -> dict[str, Any]:
    messages = request.get("messages")
    if not isinstance(messages, list):
        return request
    plain: dict[str, str] = {}

    def named(holder: Any, field: str) -> Any:
        if not isinstance(holder, dict) or not isinstance(holder.get(field), str):
            return holder
        return {**holder, field: plain.setdefault(holder[field], f"call-{len(plain)}")}

    renamed = []
    for message in messages:
        if isinstance(message, dict) and isinstance(message.get("tool_calls"), list):
            calls = [named(call, "id") for call in message["tool_calls"]]
            message = {**message, "tool_calls": calls}
        renamed.append(named(message, "tool_call_id"))
    return {**request, "messages": renamed}


class EventReader:
    """Follows a streamed chat completion as its bytes come.

    Attributes:
        first_token: whether a piece of text or of a call has come.
    """

    def __init__(self) -> None:
        self.first_token = False
        self._line = b""
        self._finished = self._done = self._failed = False

    @property
    def whole(self) -> bool:
        """Whether the model said that it was done, and nothing went wrong on the way."""
        return self._finished and self._done and not self._failed

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; they may end anywhere."""
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line.removeprefix(b"data:").strip())

    def _take(self, data: bytes) -> None:
        if data == b"[DONE]":
            self._done = True
            return
        event = parsed_object(data)
        if event is None or "error" in event:
            self._failed = True
            return
        for choice in _choices(event):
            delta = choice.get("delta") or {}
            self.first_token |= bool(delta.get("content") or delta.get("tool_calls"))
            self._finished |= bool(choice.get("finish_reason"))


def whole_completion(body: bytes) -> bool:
    """Whether this is a chat completion in one piece that its model finished."""
    answer = parsed_object(body)
    if answer is None or "error" in answer:
        return False
    choices = _choices(answer)
    return bool(choices) and all(choice.get("finish_reason") for choice in choices)


def parsed_object(text: bytes) -> dict[str, Any] | None:
    """The JSON object that a text is, else None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _choices(answer: dict[str, Any]) -> list[dict[str, Any]]:
    choices = answer.get("choices")
    return [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
