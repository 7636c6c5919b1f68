"""The tool calls of a turn, one step each.

A call goes through Convex before and after it runs: what has side effects runs at most once per
call id, also when its process dies in the middle.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Literal

from pydantic import BaseModel

from harness.jobs.barriers import barrier
from harness.jobs.policies import PERSIST, tool_policy
from harness.jobs.questions import ask
from harness.jobs.run import Run
from harness.jobs.steps import RunStopped
from harness.llm.turns import CallOutcome
from harness.models import Effect, ToolCall, ToolRequest
from harness.tools.errors import ToolError
from harness.tools.execution import check_arguments, run_tool
from harness.tools.moments import moment
from harness.tools.registry import ToolSpec

Specs = Mapping[str, ToolSpec]
Ending = Literal["succeeded", "failed", "denied", "expired"]

UNKNOWN = "it began, its end was not seen, and it was not run again: its effect is unknown"
DENIED = "the user did not allow it"
EXPIRED = "the user did not answer in time"


class Ended(BaseModel):
    """How a call's step ended; `outcome` is missing when the message was stopped."""

    outcome: CallOutcome | None = None


class Planned(BaseModel):
    """Until when a call waits, or why it does not."""

    until: datetime | None = None
    error: str | None = None
    stop: bool = False


async def run_calls(
    run: Run, turn: int, calls: list[ToolRequest], offered: list[ToolSpec]
) -> list[CallOutcome]:
    """Run a turn's calls; what goes wrong with one is told to the model as its outcome.

    Neighbours that only read are independent and run in parallel; the others run in the order that
    the model asked for.

    Args:
        run: the run.
        turn: the turn's number.
        calls: what the model asked for.
        offered: the tools that it might ask for, with the permissions they have in this run.

    Raises:
        RunStopped: the message was cancelled.
        RunFailed: Convex would not keep a call.
    """
    specs = {spec.name: spec for spec in offered}
    outcomes: list[CallOutcome] = []
    numbered = enumerate(calls)
    for together, group in groupby(numbered, lambda item: _independent(item[1], specs)):
        steps = [partial(_run_call, run, f"tool-{turn}-{i}", call, specs) for i, call in group]
        for ended in await _all(run, steps, together):
            if ended.outcome is None:
                raise RunStopped
            outcomes.append(ended.outcome)
    return outcomes


async def _all(
    run: Run, steps: Sequence[Callable[[], Awaitable[Ended]]], together: bool
) -> list[Ended]:
    if together and len(steps) > 1:
        return list(await run.ctx.group.parallel(tuple(steps)))
    return [await step() for step in steps]


def _independent(call: ToolRequest, specs: Specs) -> bool:
    spec = specs.get(call.name)
    return spec is None or (
        spec.effect is Effect.READ and spec.control is None and spec.permission == "auto"
    )


async def _run_call(run: Run, step: str, call: ToolRequest, specs: Specs) -> Ended:
    spec = specs.get(call.name)
    wrong = _wrong(run, call, specs)
    if spec is None or wrong is not None:
        return await _end(run, step, call, "failed", error=wrong)
    if spec.control == "ask":
        return await _ask_user(run, step, call)
    if spec.permission == "ask":
        prompt = f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}"
        reply = await ask(run, step, call.call_id, "approval", prompt)
        if reply is None:
            return await _end(run, step, call, "expired", error=EXPIRED)
        if not reply.approved:
            return await _end(run, step, call, "denied", error=DENIED)
    if spec.control == "wait":
        return await _sleep(run, step, call)
    if spec.control == "until":
        return await _sleep_until(run, step, call)
    running = partial(_execute, run, step, call)
    return await run.steps.run(step, running, tool_policy(spec.timeout_s), Ended)


def _wrong(run: Run, call: ToolRequest, specs: Specs) -> str | None:
    """Why a call can not run, in words for the model."""
    if call.error is not None:
        return call.error
    if call.name not in specs:
        return f"there is no tool {call.name!r}; there are: {', '.join(specs) or 'none'}"
    return check_arguments(run.services.registry, call.name, call.arguments)[1]


async def _execute(run: Run, step: str, call: ToolRequest) -> Ended:
    store = run.services.store
    started = await store.start_call(call.call_id)
    if started.state == "stop":
        return Ended()
    if started.state == "unknown":
        return Ended(outcome=_outcome(call, ok=False, content=f"error: {UNKNOWN}"))
    if started.state == "done":
        return Ended(outcome=_kept(call, started.call))
    context = run.services.tool_context(run.sent, call.call_id)
    result = await run_tool(run.services.registry, call.name, call.arguments, context)
    await barrier(f"{step}:ran", run.key)
    kept = await store.finish_call(
        call.call_id,
        "succeeded" if result.ok else "failed",
        result=json.dumps(result.value, ensure_ascii=False) if result.ok else None,
        error=result.error,
    )
    return Ended(outcome=_kept(call, kept))


async def _ask_user(run: Run, step: str, call: ToolRequest) -> Ended:
    question = str(call.arguments["question"])
    reply = await ask(run, step, call.call_id, "question", question)
    if reply is None:
        return await _end(run, step, call, "expired", error=EXPIRED)
    return await _end(run, step, call, "succeeded", value={"answer": reply.text or ""})


async def _sleep(run: Run, step: str, call: ToolRequest) -> Ended:
    starting = partial(_start, run, call)
    if not await run.steps.run(f"{step}-start", starting, PERSIST, bool):
        return Ended()
    seconds = float(call.arguments["seconds"])
    await run.ctx.step.sleep(f"{step}-sleep", int(seconds * 1000))
    return await _end(run, step, call, "succeeded", value={"waited_seconds": seconds})


async def _sleep_until(run: Run, step: str, call: ToolRequest) -> Ended:
    planning = partial(_plan, run, call)
    planned = await run.steps.run(f"{step}-start", planning, PERSIST, Planned)
    if planned.stop:
        return Ended()
    if planned.until is None:
        return await _end(run, step, call, "failed", error=planned.error)
    await run.ctx.step.sleep_until(f"{step}-sleep", planned.until)
    value = {"waited_until": planned.until.isoformat(timespec="minutes")}
    return await _end(run, step, call, "succeeded", value=value)


async def _plan(run: Run, call: ToolRequest) -> Planned:
    """Settle once when to go on; a step that is tried again counts from the call's first start."""
    started = await run.services.store.start_call(call.call_id)
    if started.state == "stop" or started.call.started_at is None:
        return Planned(stop=True)
    now = datetime.fromtimestamp(started.call.started_at / 1000, UTC)
    try:
        zone = str(call.arguments.get("zone", "UTC"))
        return Planned(until=moment(str(call.arguments["time"]), zone, now))
    except ToolError as error:
        return Planned(error=str(error))


async def _start(run: Run, call: ToolRequest) -> bool:
    return (await run.services.store.start_call(call.call_id)).state != "stop"


async def _end(
    run: Run,
    step: str,
    call: ToolRequest,
    status: Ending,
    value: object = None,
    error: str | None = None,
) -> Ended:
    async def finish() -> Ended:
        result = None if value is None else json.dumps(value, ensure_ascii=False)
        kept = await run.services.store.finish_call(call.call_id, status, result, error)
        return Ended(outcome=_kept(call, kept))

    return await run.steps.run(step, finish, PERSIST, Ended)


def _kept(call: ToolRequest, kept: ToolCall) -> CallOutcome:
    """The outcome as Convex has it: the first end of a call is the one that counts."""
    if kept.result is not None and kept.error is None:
        return _outcome(call, ok=True, content=kept.result)
    return _outcome(call, ok=False, content=f"error: {kept.error or kept.status.value}")


def _outcome(call: ToolRequest, ok: bool, content: str) -> CallOutcome:
    return CallOutcome(call_id=call.call_id, name=call.name, ok=ok, content=content)
