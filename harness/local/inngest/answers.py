"""What an app's answer to a call means."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from harness.local.inngest._times import parse_time

MAX_BODY_IN_ERROR = 200

_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Refused:
    """The app could not be reached: it is down, and the call was not made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The call, or the function between its steps, failed.

    Attributes:
        error: `message`, `name` and, where the app gave them, `stack` and `code`.
        retry_at: when to try again, in milliseconds; None for the usual backoff.
    """

    error: dict[str, Any]
    retriable: bool = True
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The function returned; `output` is its JSON."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Operations:
    """Steps that were run, failed, or are asked for."""

    items: list[dict[str, Any]]
    retriable: bool = True


Answer = Refused | Failed | Finished | Operations


def error(name: str, message: str) -> dict[str, Any]:
    """An error of the engine's own, in the shape of the SDK's."""
    return {"name": name, "message": message}


def classify(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read an answer.

    Args:
        url: what was called, for the error's text.
        headers: with case-insensitive names.
    """
    if "x-inngest-sdk" not in headers:
        return Failed(error("UnexpectedAnswer", _foreign(url, status, headers, body)))
    try:
        if status == 201:
            return _streamed(url, body)
        return _direct(url, status, headers, body)
    except (ValueError, TypeError, KeyError) as problem:
        return Failed(
            error(
                "UnexpectedAnswer",
                f"{url} answered {status} with a body that cannot be read: {problem}",
            )
        )


def _streamed(url: str, body: bytes) -> Answer:
    """A streaming app sends spaces while it works and then the whole answer as JSON."""
    whole = _loads(body.strip())
    headers = {str(name).lower(): str(value) for name, value in whole["headers"].items()}
    return _direct(url, whole["status"], headers, str(whole["body"]).encode())


def _direct(url: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    retriable = headers.get("x-inngest-no-retry") != "true"
    if status == 200:
        return Finished(orjson.dumps(_loads(body)) if body else b"null")
    if status == 206:
        items = _loads(body)
        if not isinstance(items, list) or not items or not all(map(_is_operation, items)):
            return Failed(error("UnexpectedAnswer", f"{url} answered 206 without a list of steps"))
        return Operations(items, retriable)
    after = headers.get("retry-after")
    return Failed(_error_of(url, status, body), retriable, _retry_at(after) if after else None)


def _is_operation(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str) and "op" in item


def _error_of(url: str, status: int, body: bytes) -> dict[str, Any]:
    found = _loads(body) if body else None
    if not isinstance(found, dict):
        return error("Error", f"{url} answered {status}: {_short(body)}")
    return {
        "name": str(found.get("name") or "Error"),
        "message": str(found.get("message") or f"{url} answered {status}"),
        **{key: found[key] for key in ("stack", "code") if found.get(key)},
    }


def _retry_at(text: str) -> int | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


def _foreign(url: str, status: int, headers: Mapping[str, str], body: bytes) -> str:
    kind = headers.get("content-type", "no content type")
    if headers.get("x-inngest-sdk-handled") == "true":
        return f"{url} refused the call ({status}): {_short(body)}; check both sides' signing key"
    return f"{url} is not an Inngest app: it answered {status} ({kind}): {_short(body)}"


def _short(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return text if len(text) <= MAX_BODY_IN_ERROR else text[:MAX_BODY_IN_ERROR] + "…"


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # Python apps write a lone surrogate as its escape; Inngest reads it as U+FFFD.
        text = json.dumps(json.loads(body, parse_constant=_no_constant), ensure_ascii=False)
        return orjson.loads(_SURROGATE.sub("\ufffd", text))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
