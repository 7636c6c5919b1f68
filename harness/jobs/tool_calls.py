"""The tool calls of a turn, one step each.

A call goes through Convex before and after it runs: what has side effects runs at most once per
call id, also when its process dies in the middle.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Literal

import inngest
from pydantic import BaseModel

from harness.jobs.barriers import barrier
from harness.jobs.policies import PERSIST, tool_policy
from harness.jobs.questions import ask
from harness.jobs.run import Run
from harness.jobs.steps import RunStopped
from harness.llm.turns import CallOutcome
from harness.models import Effect, ToolCall, ToolRequest
from harness.tools.errors import ToolError
from harness.tools.execution import ToolResult, call_problem, run_tool
from harness.tools.moments import moment
from harness.tools.registry import Permission, ToolSpec

Specs = Mapping[str, ToolSpec]
Ending = Literal["succeeded", "failed", "denied", "expired"]

UNKNOWN = "it began, its end was not seen, and it was not run again: its effect is unknown"
DENIED = "the user did not allow it"
EXPIRED = "the user did not answer in time"
FORBIDDEN = "it is forbidden by now"


class Ended(BaseModel):
    """How a call's step ended.

    Attributes:
        outcome: missing when the message was stopped.
        unapproved: its user wants to be asked, and was not: that was said after it was offered.
    """

    outcome: CallOutcome | None = None
    unapproved: bool = False


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
        offered: the tools that it might ask for, with the permissions they had when offered. What
            its user says by the time of the call counts as well.

    Raises:
        RunStopped: the message was cancelled.
        RunFailed: Convex would not keep a call.
    """
    specs = {spec.name: spec for spec in offered}
    outcomes: list[CallOutcome] = []
    numbered = enumerate(calls)
    for together, group in groupby(numbered, lambda item: _independent(item[1], specs)):
        named = [(f"tool-{turn}-{i}", call) for i, call in group]
        steps = [partial(_run_call, run, step, call, specs) for step, call in named]
        for (step, call), ended in zip(named, await _all(run, steps, together), strict=True):
            if ended.unapproved:
                ended = await _approved(run, step, f"{step}-approved", call, specs[call.name])
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
    problem = call_problem(run.services.registry, specs, call)
    if problem is not None:
        return await _end(run, step, call, "failed", error=problem, wrong=True)
    spec = specs[call.name]
    if spec.control is not None:
        return await _carry_out(run, step, call, spec)
    if spec.permission == "ask":
        return await _approved(run, step, step, call, spec)
    return await _executed(run, step, call, spec)


async def _approved(run: Run, step: str, last: str, call: ToolRequest, spec: ToolSpec) -> Ended:
    """Ask for approval and run the call if it is given; `last` names the step that ends it."""
    refused = await _refused(run, step, call)
    if refused is not None:
        return await _end(run, last, call, *refused)
    return await _executed(run, last, call, spec)


async def _refused(run: Run, step: str, call: ToolRequest) -> tuple[Ending, None, str] | None:
    prompt = f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}"
    reply = await ask(run, step, call.call_id, "approval", prompt)
    if reply is None:
        return "expired", None, EXPIRED
    return None if reply.approved else ("denied", None, DENIED)


async def _executed(run: Run, step: str, call: ToolRequest, spec: ToolSpec) -> Ended:
    running = partial(_execute, run, step, call, spec)
    return await run.steps.run(step, running, tool_policy(spec.timeout_s), Ended)


async def _execute(run: Run, step: str, call: ToolRequest, spec: ToolSpec) -> Ended:
    store = run.services.store
    hindered = await _hindered(run, call, spec)
    if hindered is not None:
        return hindered
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
    _try_again(run, spec, result)
    kept = await store.finish_call(
        call.call_id,
        "succeeded" if result.ok else "failed",
        result=json.dumps(result.value, ensure_ascii=False) if result.ok else None,
        error=result.error,
    )
    return Ended(outcome=_kept(call, kept))


async def _hindered(run: Run, call: ToolRequest, spec: ToolSpec) -> Ended | None:
    """Why the call must not run, by what its user says now; None when it may."""
    permission = await _permission(run, spec)
    if permission == "auto":
        return None
    store = run.services.store
    kept = await store.get_call(call.call_id)
    if permission == "ask":
        approved = kept is not None and kept.reply is not None and kept.reply.approved
        return None if approved else Ended(unapproved=True)
    begun = kept is not None and kept.started_at is not None
    status: Ending = "failed" if begun else "denied"
    error = f"{FORBIDDEN}; {UNKNOWN}" if begun else FORBIDDEN
    return Ended(outcome=_kept(call, await store.finish_call(call.call_id, status, None, error)))


async def _permission(run: Run, spec: ToolSpec) -> Permission:
    rules = await run.services.permission_rules(run.sent)
    return rules.permission(run.services.registry.get(spec.name) or spec)


def _try_again(run: Run, spec: ToolSpec, result: ToolResult) -> None:
    """Hand a try that gave no result back to Inngest, where the tool wants another one."""
    tries = run.ctx.attempt + 1
    if result.passing and spec.idempotent and tries < spec.retry.attempts:
        pause = timedelta(seconds=spec.retry.pause_s(tries))
        raise inngest.RetryAfterError(f"{spec.name}: {result.error}", pause, quiet=True)


async def _carry_out(run: Run, step: str, call: ToolRequest, spec: ToolSpec) -> Ended:
    looking = partial(_permission, run, spec)
    permission = await run.steps.run(f"{step}-permission", looking, PERSIST, str)
    if permission == "never":
        return await _end(run, step, call, "denied", error=FORBIDDEN)
    if spec.control == "ask":
        return await _ask_user(run, step, call)
    if "ask" in (permission, spec.permission):
        refused = await _refused(run, step, call)
        if refused is not None:
            return await _end(run, step, call, *refused)
    sleep = _sleep_until if spec.control == "until" else _sleep
    return await sleep(run, step, call)


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
    *,
    wrong: bool = False,
) -> Ended:
    async def finish() -> Ended:
        result = None if value is None else json.dumps(value, ensure_ascii=False)
        kept = await run.services.store.finish_call(call.call_id, status, result, error)
        return Ended(outcome=_kept(call, kept).model_copy(update={"wrong": wrong}))

    return await run.steps.run(step, finish, PERSIST, Ended)


def _kept(call: ToolRequest, kept: ToolCall) -> CallOutcome:
    """The outcome as Convex has it: the first end of a call is the one that counts."""
    if kept.result is not None and kept.error is None:
        return _outcome(call, ok=True, content=kept.result)
    return _outcome(call, ok=False, content=f"error: {kept.error or kept.status.value}")


def _outcome(call: ToolRequest, ok: bool, content: str) -> CallOutcome:
    return CallOutcome(call_id=call.call_id, name=call.name, ok=ok, content=content)
