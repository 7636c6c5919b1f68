"""Random programs, faults and restarts: whatever happens when, each run ends once and as it should.

The engine's machine, its journal's statements and its recovery are driven step by step; the
scheduler and the app are the test's own. A crash forgets everything that was not committed.
"""

import asyncio
import sqlite3
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from harness.local.inngest.answers import Answer, Failed, Finished, Operations, Refused
from harness.local.inngest.answers import error as problem
from harness.local.inngest.config import parse_function
from harness.local.inngest.ids import now_ms, ulid
from harness.local.inngest.journal import Journal
from harness.local.inngest.machine import Machine
from harness.local.inngest.recovery import restore
from harness.local.inngest.state import Event, Kind, Pending
from harness.local.inngest.transaction import Transaction

RETRIES = 20
CONFIG = {
    "id": "app-program",
    "name": "program",
    "triggers": [{"event": "test/go"}],
    "steps": {
        "step": {
            "runtime": {"type": "http", "url": "http://127.0.0.1:1/api/inngest"},
            "retries": {"attempts": RETRIES},
        }
    },
}
CHILD = {**CONFIG, "id": "app-child", "triggers": [{"event": "test/never"}]}
APP = [("app", "http://127.0.0.1:1/api/inngest", "test")]

# What a function does, one after another; a parallel group has at least two steps.
OPERATION = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 2)),  # how often it fails first
    st.tuples(st.sampled_from(["parallel", "race"]), st.integers(2, 3)),
    st.tuples(st.just("sleep"), st.just(1)),
    st.tuples(st.just("wait"), st.just(1)),
    st.tuples(st.just("invoke"), st.just(1)),
)
PROGRAM = st.lists(OPERATION, max_size=4)


def app_answers(pending: Pending) -> tuple[str | None, Answer]:
    """What an app of the SDK would answer, and which step it ran for that."""
    run, data = pending.run, pending.run.event.payload["data"]
    for index, (kind, count) in enumerate(data.get("program", [["run", 0]])):
        steps = _steps(index, kind, count)
        missing = [step for step in steps if step not in run.memos]
        if pending.hash in missing or (missing and kind == "run" and not run.parallel):
            step = pending.hash or missing[0]
            if kind == "run" and pending.attempt < count:
                item = {"id": step, "op": "StepError", "error": problem("Error", "not yet")}
            else:
                item = {"id": step, "op": "StepRun", "data": step}
            return step, Operations([item])
        if missing:
            return None, Operations([_asked(kind, step, data) for step in missing])
    return None, Finished(orjson.dumps([*map(str, run.memos)]))


def _asked(kind: str, step: str, data: dict) -> dict:
    match kind:
        case "sleep":
            at = datetime.now(UTC) + timedelta(hours=1)
            return {"id": step, "op": "Sleep", "name": at.isoformat()}
        case "wait":
            opts = {"timeout": "1h", "if": "async.data.key == event.data.key"}
            return {"id": step, "op": "WaitForEvent", "name": "test/answer", "opts": opts}
        case "invoke":
            opts = {"function_id": "app-child", "payload": {"data": {"key": data["key"]}}}
            return {"id": step, "op": "InvokeFunction", "opts": opts}
        case _:
            return {"id": step, "op": "StepPlanned", "opts": {"parallelMode": kind}}


def _steps(index: int, kind: str, count: int) -> list[str]:
    grouped = kind in ("parallel", "race")
    return [f"s{index}.{branch}" for branch in range(count)] if grouped else [f"s{index}"]


def steps_of(program: list) -> set[str]:
    """All steps that a program's run finishes."""
    return {
        step for index, (kind, count) in enumerate(program) for step in _steps(index, kind, count)
    }


class Faults(RuleBasedStateMachine):
    """The engine between a sender, an app and crashes."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "inngest.db"
        asyncio.run(_create(path))
        self.disk = sqlite3.connect(path, isolation_level=None)
        tx = Transaction()
        functions = [parse_function("app", raw) for raw in (CONFIG, CHILD)]
        tx.put_app(*APP[0], functions, [CONFIG, CHILD])
        self._write(tx)
        self.sent: dict[str, list] = {}
        self.cancelled: set[str] = set()
        self._boot()

    def _boot(self) -> None:
        """Start an engine on what is on disk."""
        self.machine = Machine(backoff_ms=1)
        self.uncommitted: list[Transaction] = []
        self.calls: list[Pending] = []
        self.timers: list[Pending] = []
        self.executing: list[tuple[Pending, Answer]] = []
        tx = Transaction()
        restore(self.machine, self.disk, tx)
        self._write(tx)
        self._schedule(tx)

    def _write(self, tx: Transaction) -> None:
        self.disk.execute("BEGIN")
        for statement, parameters in tx.statements:
            self.disk.execute(statement, parameters)
        self.disk.execute("COMMIT")

    def _schedule(self, tx: Transaction) -> None:
        for pending in tx.due:
            if pending.live:
                due = self.timers if pending.due_at is not None else self.calls
                if pending not in due and (pending.due_at is not None or pending.kind.calls):
                    due.append(pending)

    def _commit_all(self) -> None:
        while self.uncommitted:
            tx = self.uncommitted.pop(0)
            self._write(tx)
            self._schedule(tx)

    @rule(program=PROGRAM)
    def an_event_starts_a_run(self, program: list) -> None:
        key = f"k{len(self.sent)}"
        self.sent[key] = program
        data = {"key": key, "program": program}
        tx = Transaction()
        event = Event.create({"name": "test/go", "data": data}, ulid(now_ms()), now_ms())
        self.machine.route(event, tx)
        self.uncommitted.append(tx)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def an_event_answers_a_wait(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.sent)))
        tx = Transaction()
        payload = {"name": "test/answer", "data": {"key": key}}
        waiting = [
            pending
            for run in self.machine.runs.values()
            for pending in run.pending.values()
            if pending.kind is Kind.WAIT and run.event.payload["data"]["key"] == key
        ]
        self.machine.route(Event.create(payload, ulid(now_ms()), now_ms()), tx)
        assert not any(pending.live for pending in waiting)
        self.uncommitted.append(tx)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def the_app_is_called(self, data: st.DataObject) -> None:
        self._call(self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1))))

    def _call(self, pending: Pending) -> None:
        if not pending.live:
            return
        run = pending.run
        kept = self._kept_steps(run.id)
        # Nothing outside hears of a result before it is on disk.
        assert set(run.memos) <= kept
        pending.calling, pending.started_at = True, now_ms()
        step, answer = app_answers(pending)
        # A finished step is not run again.
        assert step not in kept
        self.executing.append((pending, answer))

    @precondition(lambda self: self.executing)
    @rule(data=st.data(), fault=st.sampled_from(["", "", "", "refused", "lost"]))
    def the_app_answers(self, data: st.DataObject, fault: str) -> None:
        index = data.draw(st.integers(0, len(self.executing) - 1))
        pending, answer = self.executing.pop(index)
        if fault == "refused":
            answer = Refused("it is down")
        elif fault == "lost":
            answer = Failed(problem("ConnectionLost", "it died"))
        self._answered(pending, answer)

    def _answered(self, pending: Pending, answer: Answer) -> None:
        tx = Transaction()
        self.machine.answered(pending, answer, tx)
        self.uncommitted.append(tx)

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def a_timer_fires(self, data: st.DataObject) -> None:
        self._fire(self.timers.pop(data.draw(st.integers(0, len(self.timers) - 1))))

    def _fire(self, pending: Pending) -> None:
        if not pending.live:
            return
        if pending.kind.calls:
            pending.due_at = None
            self.calls.append(pending)
            return
        tx = Transaction()
        self.machine.expired(pending, tx)
        self.uncommitted.append(tx)

    @precondition(lambda self: self.machine.runs)
    @rule(data=st.data())
    def a_run_is_cancelled(self, data: st.DataObject) -> None:
        kept = {run_id for (run_id,) in self.disk.execute("SELECT id FROM runs")}
        known = [run_id for run_id in self.machine.runs if run_id in kept]
        if known:
            run_id = data.draw(st.sampled_from(known))
            tx = Transaction()
            self.machine.cancel(self.machine.runs[run_id], tx)
            self.uncommitted.append(tx)
            self.cancelled.add(run_id)

    @precondition(lambda self: self.uncommitted)
    @rule(data=st.data())
    def a_group_is_committed(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, len(self.uncommitted)))
        for _ in range(count):
            tx = self.uncommitted.pop(0)
            self._write(tx)
            self._schedule(tx)

    @rule()
    def the_engine_is_killed_and_started(self) -> None:
        self._boot()

    @invariant()
    def no_step_is_recorded_and_no_end_is_told_twice(self) -> None:
        query = "SELECT run_id, hash FROM steps GROUP BY run_id, hash HAVING count(*) > 1"
        assert self.disk.execute(query).fetchall() == []
        assert set(self._told_ends().values()) <= {1}

    def teardown(self) -> None:
        if hasattr(self, "disk"):
            self._settle()
            self._judge()
            self.disk.close()
            self.folder.cleanup()

    @rule()
    def all_goes_well_until_only_timers_are_left(self) -> None:
        self._work()

    def _work(self) -> None:
        while self.uncommitted or self.executing or self.calls:
            self._commit_all()
            if self.executing:
                self._answered(*self.executing.pop())
            elif self.calls:
                self._call(self.calls.pop())

    def _settle(self) -> None:
        """Commit, answer and fire everything until nothing is left to do."""
        self._work()
        while self.timers:
            self._fire(self.timers.pop())
            self._work()

    def _judge(self) -> None:
        """Each event that came to the disk has one run, ended once, with all its steps' results."""
        assert self.machine.runs == {}
        assert self.disk.execute("SELECT count(*) FROM pending").fetchone() == (0,)
        rows = self.disk.execute(
            "SELECT r.id, r.function_id, r.status, r.output, e.body FROM runs r"
            " JOIN events e ON e.internal_id = r.event_id"
        ).fetchall()
        accepted = self.disk.execute("SELECT count(*) FROM events WHERE name = 'test/go'")
        programs = [row for row in rows if row[1] == "app-program"]
        assert len(programs) == accepted.fetchone()[0]
        assert self._told_ends() == dict.fromkeys((row[0] for row in rows), 1)
        for run_id, _, status, output, body in programs:
            program = orjson.loads(body)["data"]["program"]
            if status != "CANCELLED":
                assert status == "COMPLETED", output
                assert set(orjson.loads(output)) == steps_of(program) == self._kept_steps(run_id)
            else:
                assert run_id in self.cancelled

    def _kept_steps(self, run_id: str) -> set[str]:
        query = "SELECT hash FROM steps WHERE run_id = ?"
        return {step for (step,) in self.disk.execute(query, (run_id,))}

    def _told_ends(self) -> Counter:
        query = "SELECT body FROM events WHERE name = 'inngest/function.finished'"
        return Counter(orjson.loads(body)["data"]["run_id"] for (body,) in self.disk.execute(query))


async def _create(path: Path) -> None:
    await Journal(path, "NORMAL", pytest.fail).close()


TestFaults = Faults.TestCase
TestFaults.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
