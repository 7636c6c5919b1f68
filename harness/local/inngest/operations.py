"""The steps a function asks the engine for, and the events the engine sends itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from harness.local.inngest._times import parse_duration, parse_time
from harness.local.inngest.expressions import ExpressionError, compile_expression
from harness.local.inngest.ids import now_ms, steady_at, ulid
from harness.local.inngest.matching import Listener
from harness.local.inngest.state import Event, Kind, Pending, Run, Status

INVOKED = "inngest/function.invoked"
FINISHED = "inngest/function.finished"
FAILED = "inngest/function.failed"
CANCELLED = "inngest/function.cancelled"


class OperationError(ValueError):
    """A step that cannot be done; the text says why."""


def ask(run: Run, item: dict[str, Any], name: str) -> Pending:
    """What a planned step, a sleep or a wait makes its run wait for.

    Args:
        item: the operation as the SDK sent it.
        name: the step's name for people.

    Raises:
        OperationError: it is of a kind the engine does not know, or malformed.
    """
    with _reading(item):
        return _ask(run, item, name, item.get("opts") or {})


@contextmanager
def _reading(item: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except OperationError:
        raise
    except ExpressionError as error:
        raise OperationError(str(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OperationError(f"{item['op']} is malformed: {error!r}") from None


def _ask(run: Run, item: dict[str, Any], name: str, opts: dict[str, Any]) -> Pending:
    now = now_ms()
    asked = Pending(
        run, item["id"], Kind.STEP, name, race=opts.get("parallelMode") == "race", queued_at=now
    )
    match item["op"]:
        case "StepPlanned" | "Step":
            pass
        case "Sleep":
            asked.kind, asked.due_at = Kind.SLEEP, parse_time(item["name"])
        case "WaitForEvent":
            asked.kind, asked.due_at = Kind.WAIT, now + parse_duration(opts["timeout"])
            asked.data = {"event": item["name"], "if": opts.get("if")}
            listener(asked)  # compiles the expression, or raises
        case other:
            raise OperationError(f"the local Inngest engine does not support {other!r} steps")
    return asked


def listener(waiting: Pending) -> Listener:
    """What hears the event that a wait waits for.

    Raises:
        ExpressionError: its expression does not compile.
    """
    source = waiting.data.get("if")
    expression = compile_expression(source) if source else None
    expires_at = None if waiting.due_at is None else steady_at(waiting.due_at)
    return Listener(waiting.run, waiting.data["event"], waiting.hash, expression, expires_at)


def invocation(run: Run, item: dict[str, Any], name: str) -> tuple[Pending, Event]:
    """What an invoked function makes its run wait for, and the event that starts it.

    Raises:
        OperationError: it is malformed.
    """
    with _reading(item):
        return _invocation(run, item, name)


def _invocation(run: Run, item: dict[str, Any], name: str) -> tuple[Pending, Event]:
    opts, now = item.get("opts") or {}, now_ms()
    timeout = opts.get("timeout")
    asked = Pending(
        run,
        item["id"],
        Kind.INVOKE,
        name,
        due_at=now + parse_duration(timeout) if timeout else None,
        race=opts.get("parallelMode") == "race",
        data={"function_id": opts["function_id"]},
        queued_at=now,
    )
    payload = opts.get("payload") or {}
    meta = {"fn_id": opts["function_id"], "correlation_id": f"{run.id}.{item['id']}"}
    event = Event.create(
        {
            "name": INVOKED,
            "data": {**(payload.get("data") or {}), "_inngest": meta},
            **({"v": payload["v"]} if payload.get("v") else {}),
        },
        ulid(now),
        now,
    )
    return asked, event


def finish_events(
    run: Run, status: Status, output: bytes, problem: dict[str, Any] | None
) -> Iterator[Event]:
    """The events that tell of a run's end: `finished` always, then `failed` or `cancelled`."""
    data: dict[str, Any] = {
        "function_id": run.function_id,
        "run_id": run.id,
        "event": orjson.Fragment(run.event.body),
        "events": [orjson.Fragment(run.event.body)],
    }
    names = [FINISHED]
    if problem is None:
        data["result"] = orjson.Fragment(output)
    else:
        data["error"] = {"error": problem["message"], **problem}
        names.append(CANCELLED if status is Status.CANCELLED else FAILED)
    now = now_ms()
    body = orjson.dumps(data)
    for name in names:
        yield Event.create({"name": name, "data": orjson.loads(body)}, ulid(now), now)
