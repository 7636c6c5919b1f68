"""Cancelling runs, one or many, and running an ended one again."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.local.inngest._times import parse_time
from harness.local.inngest.api import engine_of, reply, signed
from harness.local.inngest.engine import ReplayError
from harness.local.inngest.expressions import ExpressionError, compile_expression
from harness.local.inngest.ids import now_ms, ulid
from harness.local.inngest.inspection import find_run, unknown


async def cancel(request: Request) -> Response:
    """`DELETE /v1/runs/{id}` and `POST /v1/runs/{id}/cancel`."""
    engine = engine_of(request)
    if await engine.cancel(request.path_params["id"]):
        return Response(status_code=204)
    row = find_run(engine.journal.reader, request.path_params["id"])
    if row is None:
        return unknown("run", request)
    return reply({"error": f"run {row[0]} has ended: it is {row[3]}"}, 409)


async def cancel_many(request: Request) -> Response:
    """`POST /v1/cancellations`: cancel a function's runs that started in a span of time.

    The body is Inngest's: `app_id`, `function_id`, `started_after`, `started_before` and, where
    only some are meant, `if`, an expression of the `event` that started a run.
    """
    try:
        asked = _Cancellation(orjson.loads(await request.body()))
    except (ValueError, ExpressionError) as error:
        return reply({"error": f"the cancellation is malformed: {error}"}, 400)
    engine = engine_of(request)
    if asked.function not in engine.machine.functions:
        return reply({"error": f"no app has had a function {asked.function}"}, 404)
    count = await engine.cancel_all(asked.function, asked.after, asked.before, asked.expression)
    return reply({"data": {"id": ulid(now_ms()), **asked.body, "cancelled": count}, "metadata": {}})


async def replay(request: Request) -> Response:
    """`POST /v1/runs/{id}/replay`: a new run of the same function for the same event."""
    engine, run_id = engine_of(request), request.path_params["id"]
    if find_run(engine.journal.reader, run_id) is None:
        return unknown("run", request)
    try:
        made = await engine.replay(run_id)
    except ReplayError as error:
        return reply({"error": str(error)}, 409)
    return reply({"data": {"run_id": made, "replay_of": run_id}}, 201)


class _Cancellation:
    """A bulk cancellation as it was asked for.

    Raises:
        ValueError: it is malformed; names the field.
        ExpressionError: its expression is.
    """

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise ValueError("an object is wanted")
        self.body = {key: body[key] for key in _FIELDS if body.get(key) is not None}
        for key, value in self.body.items():
            if not isinstance(value, str):
                raise ValueError(f"{key} must be text, not {value!r}")
        missing = [key for key in _FIELDS if key != "if" and key not in self.body]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        self.function = f"{self.body['app_id']}-{self.body['function_id']}"
        self.after = parse_time(self.body["started_after"])
        self.before = parse_time(self.body["started_before"])
        source = self.body.get("if")
        self.expression = compile_expression(source) if source else None


_FIELDS = ("app_id", "function_id", "started_after", "started_before", "if")

ROUTES = [
    Route("/v1/runs/{id}", signed(cancel), methods=["DELETE"]),
    Route("/v1/runs/{id}/cancel", signed(cancel), methods=["POST"]),
    Route("/v1/runs/{id}/replay", signed(replay), methods=["POST"]),
    Route("/v1/cancellations", signed(cancel_many), methods=["POST"]),
]
