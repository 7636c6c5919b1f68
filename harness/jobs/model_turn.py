"""A turn's model call: streamed into Convex, tried again, handed to the next model."""

import json
import time
from collections.abc import Awaitable, Callable
from functools import partial

from pydantic import BaseModel

from harness.jobs.barriers import barrier
from harness.jobs.deltas import DeltaWriter
from harness.jobs.policies import MODEL, MODEL_WITH_FALLBACK
from harness.jobs.run import Run
from harness.jobs.steps import RunFailed, RunStopped
from harness.llm.errors import ModelRateLimited, Stopped
from harness.llm.models import ModelSpec
from harness.llm.turn import run_turn
from harness.llm.turns import TurnRequest, TurnResult
from harness.models import Effect, Failure, ToolRequest
from harness.store.results import PlannedCall
from harness.tools.registry import ToolSpec

MAX_PAUSES = 3
MAX_PAUSE_S = 3600.0
PATIENCE_S = 60.0  # a longer pause than this is left to the next model, if there is one
TURN_BREAK = "\n\n"  # between the texts of two turns


class Streamed(BaseModel):
    """What a model step left: a result, a reason to stop, or how long to pause."""

    result: TurnResult | None = None
    stopped: bool = False
    pause_s: float | None = None


async def model_turn(
    run: Run, turn: int, models: list[ModelSpec], request: TurnRequest
) -> TurnResult:
    """Ask the first model, and the next one when it fails.

    Args:
        run: the run.
        turn: the turn's number.
        models: in order; never empty.
        request: what to answer.

    Raises:
        RunStopped: the message was cancelled.
        RunFailed: no model gave an answer; the reason is the last one's.
    """
    failure = Failure(code="model_unavailable", message="No model is configured")
    for position, spec in enumerate(models):
        spare = position + 1 < len(models)
        name = f"model-{turn}" if position == 0 else f"model-{turn}-fallback-{position}"
        try:
            return await _one_model(run, name, turn, spec, request, spare)
        except RunFailed as failed:
            failure = failed.failure
    raise RunFailed(failure)


async def _one_model(
    run: Run, name: str, turn: int, spec: ModelSpec, request: TurnRequest, spare: bool
) -> TurnResult:
    policy = MODEL_WITH_FALLBACK if spare else MODEL
    for pause in range(MAX_PAUSES + 1):
        step = f"{name}-again-{pause}" if pause else name
        streamed = await run.steps.run(
            step, partial(_stream, run, turn, spec, request), policy, Streamed
        )
        if streamed.stopped:
            raise RunStopped
        if streamed.result is not None:
            return streamed.result
        pause_s = streamed.pause_s or 0.0
        if spare and pause_s > PATIENCE_S:
            break
        await run.ctx.step.sleep(f"{step}-pause", int(min(pause_s, MAX_PAUSE_S) * 1000))
    reason = f"Model {spec.name!r} is over its rate limit, also after {pause} pauses"
    raise RunFailed(Failure(code=ModelRateLimited.code, message=reason))


async def _stream(run: Run, turn: int, spec: ModelSpec, request: TurnRequest) -> Streamed:
    services = run.services
    attempt = await services.store.start_attempt(run.key, turn, spec.name)
    if attempt.stop is not None:
        return Streamed(stopped=True)
    writer = DeltaWriter(services.store, run.key, attempt, services.settings.flush_ms / 1000)
    text = _Joined(writer, request, partial(barrier, f"model-{turn}:streaming", run.key))
    asked_at = _now_ms()
    try:
        result = await writer.run(run_turn(services.models, spec, request, text.write))
    except Stopped:
        return Streamed(stopped=True)
    except ModelRateLimited as limited:
        if limited.retry_after_s is None:
            raise
        return Streamed(pause_s=limited.retry_after_s)
    kept = {"text": text.whole, "asked_at": asked_at, "first_text_at": text.first_at}
    result = result.model_copy(update=kept)
    stop = await _record(run, turn, result, request.tools)
    return Streamed(stopped=True) if stop else Streamed(result=result)


class _Joined:
    """Sets a turn's text off from that of the turns before it."""

    def __init__(
        self, writer: DeltaWriter, request: TurnRequest, begun: Callable[[], Awaitable[None]]
    ) -> None:
        self._writer = writer
        self._begun = begun
        self._before = any(past.text for past in request.past)
        self.whole = ""
        self.first_at: int | None = None

    async def write(self, piece: str) -> None:
        first = self.first_at is None
        if first:
            self.first_at = _now_ms()
            piece = TURN_BREAK + piece if self._before else piece
        self.whole += piece
        await self._writer.write(piece)
        if first:
            await self._begun()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _record(run: Run, turn: int, result: TurnResult, offered: list[ToolSpec]) -> bool:
    if not result.tool_calls:
        return False
    specs = {spec.name: spec for spec in offered}
    planned = [
        _planned(i, call, result.decided_by, specs.get(call.name))
        for i, call in enumerate(result.tool_calls)
    ]
    return await run.services.store.record_calls(run.key, turn, planned) is not None


def _planned(index: int, call: ToolRequest, chosen_by: str, spec: ToolSpec | None) -> PlannedCall:
    """A call as it was offered: a tool may leave the registry, or change, before it runs."""
    return PlannedCall(
        call_id=call.call_id,
        index=index,
        name=call.name,
        arguments=json.dumps(call.arguments),
        effect=spec.effect if spec else Effect.READ,
        idempotent=spec.idempotent if spec else True,
        chosen_by=chosen_by,
    )
