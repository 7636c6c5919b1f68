"""Reading: what people, tests and Inngest's REST clients ask for.

Everything is read from the journal, so that an answer never runs ahead of the disk and a run's
status and output appear together.
"""

import sqlite3
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.local.inngest._times import iso
from harness.local.inngest.api import engine_of, reply, signed

MAX_LIST = 100

_EVENT = "SELECT internal_id, received_at, body FROM events"
_RUN = (
    "SELECT id, function_id, event_id, status, created_at, started_at, ended_at, output FROM runs"
)


async def apps(request: Request) -> Response:
    """`GET /v1/apps`: what is registered, how many runs are unfinished, and what was skipped.

    Skipped are the events that matched a function and started no run of it, since the start.
    """
    machine = engine_of(request).machine
    found: dict[str, list[str]] = {}
    for function in machine.active.values():
        found.setdefault(function.app_id, []).append(function.id)
    return reply(
        {
            "engine": "harness",
            "apps": found,
            "unfinished_runs": len(machine.runs),
            "skipped_events": machine.admission.skipped,
        }
    )


async def events(request: Request) -> Response:
    """`GET /v1/events?name=&limit=`: the newest first."""
    name = request.query_params.get("name")
    limit = _limit(request)
    where, arguments = (" WHERE name = ?", (name,)) if name else ("", ())
    rows = _reader(request).execute(
        f"{_EVENT}{where} ORDER BY received_at DESC, rowid DESC LIMIT ?", (*arguments, limit)
    )
    return reply({"data": [_event(row) for row in rows], "metadata": {}})


async def event(request: Request) -> Response:
    """`GET /v1/events/{id}`, by the internal id or the sender's."""
    row = find_event(_reader(request), request.path_params["id"])
    return unknown("event", request) if row is None else reply({"data": _event(row)})


async def event_runs(request: Request) -> Response:
    """`GET /v1/events/{id}/runs`: the runs an event started."""
    reader, event_id = _reader(request), request.path_params["id"]
    if find_event(reader, event_id) is None:
        return unknown("event", request)
    rows = reader.execute(
        f"{_RUN} WHERE event_id IN (SELECT internal_id FROM events WHERE internal_id = ?1"
        " OR id = ?1) ORDER BY rowid",
        (event_id,),
    )
    return reply({"data": [_run(found) for found in rows], "metadata": {}})


async def event_skips(request: Request) -> Response:
    """`GET /v1/events/{id}/skips`: the functions an event matched and did not start, and why."""
    reader, event_id = _reader(request), request.path_params["id"]
    found = find_event(reader, event_id)
    if found is None:
        return unknown("event", request)
    return reply({"data": skips(reader, found[0]), "metadata": {}})


def skips(reader: sqlite3.Connection, internal_id: str) -> list[dict[str, Any]]:
    """The functions an event matched and did not start: `function_id`, `at` and `reason`."""
    rows = reader.execute(
        "SELECT function_id, at, reason FROM skips WHERE event_id = ? ORDER BY rowid",
        (internal_id,),
    )
    return [_row(rows, found) for found in rows]


async def run(request: Request) -> Response:
    """`GET /v1/runs/{id}`."""
    row = find_run(_reader(request), request.path_params["id"])
    return unknown("run", request) if row is None else reply({"data": _run(row)})


async def run_jobs(request: Request) -> Response:
    """`GET /v1/runs/{id}/timeline`: steps, failed attempts, what is waited for, and notes."""
    reader, run_id = _reader(request), request.path_params["id"]
    if find_run(reader, run_id) is None:
        return unknown("run", request)
    return reply({"data": timeline(reader, run_id)})


def timeline(reader: sqlite3.Connection, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """What happened to a run: `steps`, failed `attempts`, what is `pending`, and `notes`."""
    steps = reader.execute(
        "SELECT name, op, failed, attempts, queued_at, started_at, ended_at, memo FROM steps"
        " WHERE run_id = ? ORDER BY rowid",
        (run_id,),
    )
    attempts = reader.execute(
        "SELECT name, attempt, started_at, ended_at, error FROM attempts WHERE run_id = ?"
        " ORDER BY rowid",
        (run_id,),
    )
    pending = reader.execute(
        "SELECT name, kind, attempt, queued_at, due_at FROM pending WHERE run_id = ?"
        " ORDER BY queued_at",
        (run_id,),
    )
    notes = reader.execute(
        "SELECT name, at, text FROM notes WHERE run_id = ? ORDER BY rowid", (run_id,)
    )
    return {
        "steps": [_row(steps, found, json="memo") for found in steps],
        "attempts": [_row(attempts, found, json="error") for found in attempts],
        "pending": [_row(pending, found) for found in pending],
        "notes": [_row(notes, found) for found in notes],
    }


def find_event(reader: sqlite3.Connection, event_id: str) -> tuple[Any, ...] | None:
    """The newest event with this internal or sender's id: internal id, time and body."""
    found: tuple[Any, ...] | None = reader.execute(
        f"{_EVENT} WHERE internal_id = ?1 OR id = ?1 ORDER BY rowid DESC LIMIT 1", (event_id,)
    ).fetchone()
    return found


def find_run(reader: sqlite3.Connection, run_id: str) -> tuple[Any, ...] | None:
    """A run's row: id, function, event, status, made, started and ended at, output."""
    found: tuple[Any, ...] | None = reader.execute(f"{_RUN} WHERE id = ?", (run_id,)).fetchone()
    return found


def _reader(request: Request) -> sqlite3.Connection:
    return engine_of(request).journal.reader


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "")
    return min(max(int(text), 1), MAX_LIST) if text.isdecimal() else MAX_LIST


def unknown(what: str, request: Request) -> Response:
    """The answer where the event or run that a request names is not there."""
    return reply({"error": f"no {what} {request.path_params['id']}"}, 404)


def _row(cursor: sqlite3.Cursor, row: tuple[Any, ...], json: str = "") -> dict[str, Any]:
    names = [column[0] for column in cursor.description]
    return {
        name: orjson.Fragment(value) if name == json else value
        for name, value in zip(names, row, strict=True)
    }


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    internal_id, received_at, body = row
    return {
        **orjson.loads(body),
        "internal_id": internal_id,
        "received_at": iso(received_at),
    }


def _run(row: tuple[Any, ...]) -> dict[str, Any]:
    run_id, function_id, event_id, status, created_at, started_at, ended_at, output = row
    return {
        "run_id": run_id,
        "function_id": function_id,
        "event_id": event_id,
        "status": status.capitalize(),
        "run_started_at": iso(started_at or created_at),
        "ended_at": iso(ended_at) if ended_at else None,
        "output": orjson.Fragment(output) if output is not None else None,
    }


ROUTES = [
    Route("/v1/apps", signed(apps), methods=["GET"]),
    Route("/v1/events", signed(events), methods=["GET"]),
    Route("/v1/events/{id:path}/runs", signed(event_runs), methods=["GET"]),
    Route("/v1/events/{id:path}/skips", signed(event_skips), methods=["GET"]),
    Route("/v1/events/{id:path}", signed(event), methods=["GET"]),
    Route("/v1/runs/{id}", signed(run), methods=["GET"]),
    Route("/v1/runs/{id}/timeline", signed(run_jobs), methods=["GET"]),
]
