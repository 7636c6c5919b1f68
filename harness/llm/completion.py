"""One streamed chat completion."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from openai.types.completion_usage import CompletionUsage
from pydantic import BaseModel

from harness.llm.errors import (
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    StreamCut,
)
from harness.llm.models import ModelSpec
from harness.models import Usage

OnText = Callable[[str], Awaitable[None]]
Chunks = AsyncStream[ChatCompletionChunk]


class CallFragments(BaseModel):
    """A tool call as it came over the stream; `arguments` is JSON text, if the model kept to it."""

    name: str = ""
    arguments: str = ""


class Completion(BaseModel):
    """What one request to a model gave.

    Attributes:
        ttft_ms: from the request to the first piece of text or of a call, None without any.
        duration_ms: from the request to its end.
    """

    text: str = ""
    calls: list[CallFragments] = []
    finish_reason: str = ""
    usage: Usage = Usage()
    ttft_ms: float | None = None
    duration_ms: float = 0.0


class Limits(BaseModel):
    """How long a model may be silent, in seconds: before its first token, and between two."""

    first_s: float
    stall_s: float


async def complete(
    client: AsyncOpenAI,
    spec: ModelSpec,
    messages: list[ChatCompletionMessageParam],
    on_text: OnText,
    limits: Limits,
    **options: Any,
) -> Completion:
    """Stream one chat completion.

    Args:
        client: of the model's server.
        spec: the model.
        messages: the prompt.
        on_text: takes each piece of text as it arrives; whatever it raises (`Stopped`) closes the
            request, so that the model stops too.
        limits: how long the model may be silent.
        options: further parameters of the request.

    Raises:
        ModelError: one of its kinds, by what went wrong.
    """
    started = time.monotonic()
    answer = _Answer(started)
    async with (
        _readable_errors(spec),
        asyncio.timeout(limits.first_s) as silence,
        await _open(client, spec, messages, options) as stream,
    ):
        async for chunk in _uncut(stream, spec):
            silence.reschedule(asyncio.get_running_loop().time() + limits.stall_s)
            if piece := answer.take(chunk):
                await on_text(piece)
    if not answer.result.finish_reason:
        raise StreamCut(f"{_place(spec)} ended its answer in the middle")
    answer.result.duration_ms = (time.monotonic() - started) * 1000
    return answer.result


class _Answer:
    """Puts a completion together from its chunks."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.result = Completion()

    def take(self, chunk: ChatCompletionChunk) -> str:
        """Add a chunk; returns the text that is new in it."""
        result = self.result
        if chunk.usage is not None:
            result.usage = _usage(chunk.usage)
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        if choice.finish_reason:
            result.finish_reason = choice.finish_reason
        for part in choice.delta.tool_calls or []:
            while len(result.calls) <= part.index:
                result.calls.append(CallFragments())
            call = result.calls[part.index]
            if part.function is not None:
                call.name += part.function.name or ""
                call.arguments += part.function.arguments or ""
        text = choice.delta.content or ""
        if result.ttft_ms is None and (text or choice.delta.tool_calls):
            result.ttft_ms = (time.monotonic() - self.started) * 1000
        result.text += text
        return text


async def _open(
    client: AsyncOpenAI,
    spec: ModelSpec,
    messages: list[ChatCompletionMessageParam],
    options: dict[str, Any],
) -> Chunks:
    request = {
        "model": spec.model,
        "messages": messages,
        "temperature": spec.temperature,
        "max_tokens": spec.max_output_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        **({"stop": list(spec.stop)} if spec.stop else {}),
        **options,
    }
    try:
        stream: Chunks = await client.chat.completions.create(**request)
    except openai.APITimeoutError:
        raise
    except openai.APIConnectionError:
        # A server may drop an idle connection just as it is used again; a fresh one tells.
        stream = await client.chat.completions.create(**request)
    return stream


async def _uncut(stream: Chunks, spec: ModelSpec) -> AsyncIterator[ChatCompletionChunk]:
    try:
        async for chunk in stream:
            yield chunk
    except openai.APITimeoutError:
        raise
    except openai.APIConnectionError as error:
        raise StreamCut(f"{_place(spec)} broke off its answer") from error


@asynccontextmanager
async def _readable_errors(spec: ModelSpec) -> AsyncIterator[None]:
    try:
        yield
    except (TimeoutError, openai.APITimeoutError) as error:
        raise ModelStalled(f"{_place(spec)} sent nothing for too long") from error
    except openai.RateLimitError as error:
        raise ModelRateLimited(
            f"{_place(spec)} is over its rate limit", _retry_after_s(error)
        ) from error
    except openai.APIStatusError as error:
        raise _status_error(spec, error) from error
    except openai.APIConnectionError as error:
        raise ModelUnavailable(f"{_place(spec)} can not be reached") from error
    except openai.APIError as error:
        raise ModelUnavailable(f"{_place(spec)} failed: {error.message}") from error
    except json.JSONDecodeError as error:
        raise StreamCut(f"{_place(spec)} sent what is not JSON") from error


def _status_error(spec: ModelSpec, error: openai.APIStatusError) -> ModelError:
    detail = f"{_place(spec)} answered {error.status_code}: {error.message[:300]}"
    transient = error.status_code >= 500 or error.status_code in (408, 409)
    return ModelUnavailable(detail) if transient else ModelRefused(detail)


def _retry_after_s(error: openai.APIStatusError) -> float | None:
    headers = error.response.headers
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
    return None


def _usage(usage: CompletionUsage) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=(details.cached_tokens or 0) if details else 0,
    )


def _place(spec: ModelSpec) -> str:
    return f"model {spec.name!r} at {spec.base_url}"
