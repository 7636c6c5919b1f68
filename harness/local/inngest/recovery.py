"""The engine's memory rebuilt from its journal, at start."""

import sqlite3
from typing import Any

import orjson

from harness.local.inngest.config import parse_function
from harness.local.inngest.ids import steady_us
from harness.local.inngest.machine import Machine
from harness.local.inngest.operations import listener
from harness.local.inngest.state import DISCOVERY, Event, Kind, Pending, Run
from harness.local.inngest.transaction import Transaction

_UNFINISHED = """
SELECT r.id, r.function_id, r.created_at, r.started_at, r.parallel, r.race,
       r.parent_run, r.parent_step, e.internal_id, e.id, e.name, e.received_at, e.body
FROM runs r JOIN events e ON e.internal_id = r.event_id
WHERE r.status = 'RUNNING' ORDER BY r.id
"""
_FINISHED = """
SELECT r.function_id, e.internal_id, e.id, e.name, e.received_at, e.body
FROM runs r JOIN events e ON e.internal_id = r.event_id
WHERE r.id = ? AND r.status != 'RUNNING'
"""
_STEPS = """
SELECT s.run_id, s.hash, s.memo
FROM runs r INDEXED BY runs_unfinished CROSS JOIN steps s ON s.run_id = r.id
WHERE r.status = 'RUNNING' ORDER BY r.id, s.rowid
"""
_PENDING = """
SELECT p.run_id, p.hash, p.kind, p.name, p.due_at, p.attempt, p.race, p.queued_at, p.data
FROM runs r JOIN pending p ON p.run_id = r.id WHERE r.status = 'RUNNING'
"""


def restore(machine: Machine, reader: sqlite3.Connection, tx: Transaction) -> None:
    """Load functions and unfinished runs, and leave due in `tx` all they wait for.

    A call that was in progress when the engine stopped is made again: its answer was never
    recorded. A finished step is not: its result was.
    """
    _restore_functions(machine, reader)
    now = steady_us()
    tx.drop_limits(now)
    limits = reader.execute("SELECT name, arrival FROM limits WHERE arrival >= ?", (now,))
    machine.admission.cells.restore(limits)
    for row in reader.execute(_UNFINISHED):
        machine.adopt(_run(row))
    for run_id, step, memo in reader.execute(_STEPS):
        run = machine.runs[run_id]
        run.memos[step] = memo
        run.kept += 1
        run.size += len(memo)
    for row in reader.execute(_PENDING):
        pending = _pending(machine.runs[row[0]], row)
        pending.run.pending[pending.hash] = pending
        if pending.kind is Kind.WAIT:
            machine.matcher.add(listener(pending))
        tx.due.append(pending)
    for run in machine.runs.values():
        if run.started_at is None and (run.memos or any(step != DISCOVERY for step in run.pending)):
            run.started_at = run.created_at  # not written where nothing depended on it then
        # In a race a discovery may have been owed; one too many does no harm.
        if not run.pending or (run.race and DISCOVERY not in run.pending):
            machine.discover(run, tx)


def find_finished(reader: sqlite3.Connection, run_id: str) -> tuple[str, Event] | None:
    """The function of a run that has ended, and the event that started it."""
    found = reader.execute(_FINISHED, (run_id,)).fetchone()
    return None if found is None else (found[0], _event(*found[1:]))


def _restore_functions(machine: Machine, reader: sqlite3.Connection) -> None:
    retired = []
    functions = []
    for app_id, config, active in reader.execute("SELECT app_id, config, active FROM functions"):
        functions.append(parse_function(app_id, orjson.loads(config)))
        if not active:
            retired.append(functions[-1].id)
    machine.register(functions, ())
    machine.register((), retired)


def _run(row: tuple[Any, ...]) -> Run:
    run_id, function_id, created_at, started_at, parallel, race, *more = row
    parent_run, parent_step, *event = more
    return Run(
        run_id,
        function_id,
        _event(*event),
        created_at,
        started_at,
        parallel=bool(parallel),
        race=bool(race),
        parent=(parent_run, parent_step) if parent_run else None,
    )


def _event(internal_id: str, event_id: str, name: str, received_at: int, body: bytes) -> Event:
    payload = orjson.loads(body)
    return Event(internal_id, event_id, name, payload["ts"], received_at, body, payload)


def _pending(run: Run, row: tuple[Any, ...]) -> Pending:
    _, step, kind, name, due_at, attempt, race, queued_at, data = row
    return Pending(
        run,
        step,
        Kind(kind),
        name,
        due_at=due_at,
        attempt=attempt,
        race=bool(race),
        data=orjson.loads(data),
        queued_at=queued_at,
        stored=True,
    )
