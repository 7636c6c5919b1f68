"""Random programs, faults and restarts: whatever happens when, each run ends once and as it should.

All of the engine but its sockets and its disk's thread is driven step by step: machine, scheduler,
gate, statements, recovery. What moves the clock, commits and answers calls are the test's rules,
and a crash forgets everything that was not committed.
"""

import asyncio
import sqlite3
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from unittest import mock

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.local.inngest import _schema, ids
from harness.local.inngest._times import iso
from harness.local.inngest.answers import Answer, Failed, Finished, Operations, Refused
from harness.local.inngest.answers import error as problem
from harness.local.inngest.config import Function, parse_function
from harness.local.inngest.ids import now_ms, ulid
from harness.local.inngest.machine import Machine
from harness.local.inngest.recovery import restore
from harness.local.inngest.scheduler import Scheduler
from harness.local.inngest.state import Event, Kind, Pending, Status
from harness.local.inngest.transaction import Transaction

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
URL = "http://127.0.0.1:1/api/inngest"
STEP = {"step": {"runtime": {"type": "http", "url": URL}, "retries": {"attempts": 20}}}
SAME_KEY = "async.data.key == event.data.key"
SETTINGS = {
    "plain": {"cancel": [{"event": "test/stop", "if": SAME_KEY, "timeout": "2h"}]},
    "few": {"concurrency": [{"limit": 2}, {"limit": 1, "key": "event.data.group"}]},
    "paced": {"throttle": {"limit": 2, "period": "60s", "burst": 0}},
    "timed": {"timeouts": {"finish": "30m"}},
    "once": {"idempotency": "event.data.group"},
    "single": {"singleton": {"mode": "skip", "key": "event.data.group"}},
    "latest": {"singleton": {"mode": "cancel", "key": "event.data.group"}},
    "child": {},
}
CONFIGS = [
    {"id": f"app-{name}", "triggers": [{"event": f"test/{name}"}], "steps": STEP, **chosen}
    for name, chosen in SETTINGS.items()
]
# Of two runs of one group, when of the first the second may begin.
APART = {"once": ("created", DAY_MS), "single": ("ended", 0), "latest": ("ended", 0)}
TRIGGERED = [name for name in SETTINGS if name != "child"]

# What a function does, one after another; a parallel group has at least two steps.
OPERATION = st.one_of(
    st.tuples(st.sampled_from(["wait", "wait", "sleep", "invoke"]), st.just(1)),
    st.tuples(st.just("run"), st.integers(0, 2)),  # how often it fails first
    st.tuples(st.sampled_from(["parallel", "race"]), st.integers(2, 3)),
)
PROGRAM = st.lists(OPERATION, max_size=4)
CHILD = [["sleep", 1], ["run", 0]]  # what an invoked function does


def app_answers(pending: Pending) -> tuple[str | None, Answer]:
    """What an app of the SDK would answer, and which step it ran for that."""
    run, data = pending.run, pending.run.event.payload["data"]
    for index, (kind, count) in enumerate(data.get("program", CHILD)):
        steps = steps_of([[kind, count]], index)
        missing = [step for step in steps if step not in run.told]
        if pending.hash in missing or (missing and kind == "run" and not run.parallel):
            step = pending.hash or missing[0]
            if kind == "run" and pending.attempt < count:
                item = {"id": step, "op": "StepError", "error": problem("Error", "not yet")}
            else:
                item = {"id": step, "op": "StepRun", "data": step}
            return step, Operations([item])
        if missing:
            return None, Operations([_asked(kind, step, data) for step in missing])
    return None, Finished(orjson.dumps([*run.told]))


def _asked(kind: str, step: str, data: dict) -> dict:
    match kind:
        case "sleep":
            return {"id": step, "op": "Sleep", "name": iso(now_ms() + HOUR_MS)}
        case "wait":
            opts = {"timeout": "1h", "if": SAME_KEY}
            return {"id": step, "op": "WaitForEvent", "name": "test/answer", "opts": opts}
        case "invoke":
            called = {"function_id": "app-child", "payload": {"data": {"key": data["key"]}}}
            return {"id": step, "op": "InvokeFunction", "opts": called}
        case _:
            return {"id": step, "op": "StepPlanned", "opts": {"parallelMode": kind}}


def steps_of(program: list, first: int = 0) -> list[str]:
    """All steps that a program's run finishes."""
    return [
        f"s{index}.{branch}"
        for index, (kind, count) in enumerate(program, first)
        for branch in range(count if kind in ("parallel", "race") else 1)
    ]


class Clock:
    """The machine's time, which rules move."""

    ns = 1_800_000_000 * 10**9

    def time_ns(self) -> int:
        return self.ns

    monotonic_ns = time_ns

    def advance(self, ms: int) -> None:
        self.ns += ms * 10**6


class Loop(asyncio.SelectorEventLoop):
    """An event loop by that clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._clock_resolution = 1e-4  # what is due now is done now

    def time(self) -> float:
        return self._clock.ns / 1e9

    def settle(self) -> None:
        """Do all that is due now."""
        self.call_soon(self.stop)
        self.run_forever()
        if self._ready or (self._scheduled and self._scheduled[0].when() <= self.time()):
            self.settle()


class Engine:
    """A running engine: its journal commits, and its calls are answered, when it is told to."""

    def __init__(self, clock: Clock, disk: sqlite3.Connection, prompt: bool) -> None:
        self.disk, self.prompt = disk, prompt
        self.loop = Loop(clock)
        self.uncommitted: list[tuple] = []
        self.calls: list[SimpleNamespace] = []  # those that are executing
        self.wrong: list[str] = []
        self.loop.set_exception_handler(lambda loop, raised: self.wrong.append(str(raised)))
        self.machine = Machine(backoff_ms=1)
        self.loop.run_until_complete(self._start())
        self.commit(len(self.uncommitted))

    async def _start(self) -> None:
        self.scheduler, tx = Scheduler(self.machine, self, self), Transaction()
        restore(self.machine, self.disk, tx)
        self.scheduler.commit(tx)

    def submit(self, statements, committed, *, here=False) -> None:
        """What the journal does."""
        self.uncommitted.append((statements, committed))
        if here and self.prompt and len(self.uncommitted) == 1:
            self._write(1)

    async def call(self, function: Function, pending: Pending) -> Answer:
        """What the executor does."""
        kept = self.kept_steps(pending.run.id)
        step, answer = app_answers(pending)
        if not set(pending.run.told) <= kept:
            self.wrong.append("the app heard of a result before it was on disk")
        if step in kept:
            self.wrong.append(f"step {step} was finished and is run again")
        told, group = self.loop.create_future(), pending.run.event.payload["data"].get("group")
        self.calls.append(SimpleNamespace(of=function.id, group=group, answer=answer, told=told))
        groups = Counter(item.group for item in self.calls if item.of == "app-few")
        if groups.total() > 2 or max(groups.values(), default=0) > 1:
            self.wrong.append(f"more execute than their limits allow: {groups}")
        return await told

    def kept_steps(self, run_id: str) -> set[str]:
        """The finished steps that are on disk."""
        query = "SELECT hash FROM steps WHERE run_id = ?"
        return {step for (step,) in self.disk.execute(query, (run_id,))}

    def commit(self, count: int) -> None:
        """Bring the oldest `count` transactions to the disk."""
        self._write(count)
        self.loop.settle()

    def _write(self, count: int) -> None:
        group, self.uncommitted = self.uncommitted[:count], self.uncommitted[count:]
        for statements, committed in group:
            for statement in statements:
                self.disk.execute(*statement)
            self.loop.call_soon(committed)

    def answer(self, made: SimpleNamespace, fault: Answer | None = None) -> None:
        """Answer a call, if only with a fault."""
        self.calls.remove(made)
        made.told.set_result(fault or made.answer)
        self.loop.settle()

    def work(self) -> None:
        """Commit and answer until only time could change anything."""
        while self.uncommitted or self.calls:
            self.commit(len(self.uncommitted))
            if self.calls:
                self.answer(self.calls[0])

    def kill(self) -> None:
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.settle()
        self.loop.close()


class Faults(RuleBasedStateMachine):
    """The engine between senders, apps, time and crashes."""

    @initialize(program=PROGRAM.filter(len), prompt=st.booleans())
    def start(self, program: list, prompt: bool) -> None:
        self.clock = Clock()
        self.patch = mock.patch.multiple(ids, time=self.clock, _STEADY_ORIGIN_NS=0)
        self.patch.start()
        self.disk = sqlite3.connect(":memory:", isolation_level=None)
        self.disk.executescript(_schema.TABLES + "".join(_schema.UPGRADES.values()))
        tx = Transaction()
        tx.put_app("app", URL, "test", [parse_function("app", raw) for raw in CONFIGS], CONFIGS)
        for statement in tx.statements:
            self.disk.execute(*statement)
        self.sent, self.cancelled = 0, set()
        self.engine = Engine(self.clock, self.disk, prompt)
        for name in ("plain", "timed"):
            self.an_event_starts_a_run(name, program, "a")

    def _send(self, name: str, **data) -> None:
        tx, now = Transaction(), now_ms()
        event = Event.create({"name": f"test/{name}", "data": data}, ulid(now), now)
        self.engine.machine.route(event, tx)
        self.engine.scheduler.commit(tx)

    @rule(name=st.sampled_from(TRIGGERED), program=PROGRAM, group=st.sampled_from("ab"))
    def an_event_starts_a_run(self, name: str, program: list, group: str) -> None:
        self.sent += 1
        self._send(name, key=f"k{self.sent}", program=program, group=group)

    def _waits(self) -> dict[Pending, str]:
        pendings = (p for run in self.engine.machine.runs.values() for p in run.pending.values())
        waits = (item for item in pendings if item.kind is Kind.WAIT)
        return {item: item.run.event.payload["data"]["key"] for item in waits}

    @precondition(lambda self: self._waits())
    @rule(data=st.data())
    def an_event_answers_a_wait(self, data: st.DataObject) -> None:
        waits = self._waits()
        key = data.draw(st.sampled_from(sorted({*waits.values()})))
        self._send("answer", key=key)
        for item, wanted in waits.items():
            assert item.live == (wanted != key), "a wait was deaf"

    @precondition(lambda self: self.engine.calls)
    @rule(data=st.data(), fault=st.sampled_from(["", "refused", "lost"]))
    def the_app_answers(self, data: st.DataObject, fault: str) -> None:
        faults = {"refused": Refused("it is down"), "lost": Failed(problem("Lost", "it died"))}
        self.engine.answer(data.draw(st.sampled_from(self.engine.calls)), faults.get(fault))

    @precondition(lambda self: self.engine.machine.runs)
    @rule(data=st.data())
    def a_run_is_cancelled(self, data: st.DataObject) -> None:
        run, tx = data.draw(st.sampled_from([*self.engine.machine.runs.values()])), Transaction()
        self.engine.machine.cancel(run, tx)
        self.engine.scheduler.commit(tx)
        self.cancelled.add(run.id)

    @precondition(lambda self: self.engine.machine.runs)
    @rule(data=st.data())
    def an_event_cancels_runs(self, data: st.DataObject) -> None:
        before = [*self.engine.machine.runs.values()]
        plain = [run for run in before if run.function_id == "app-plain"]
        chosen = data.draw(st.sampled_from(plain or before))
        key = chosen.event.payload["data"]["key"]
        self._send("stop", key=key)
        for run in plain:
            if run.event.payload["data"]["key"] == key and now_ms() < run.created_at + 2 * HOUR_MS:
                assert run.status is Status.CANCELLED, "a run was deaf to what cancels it"
                self.cancelled.add(run.id)

    @precondition(lambda self: self.engine.uncommitted)
    @rule(data=st.data())
    def a_group_is_committed(self, data: st.DataObject) -> None:
        self.engine.commit(data.draw(st.integers(1, len(self.engine.uncommitted))))

    @rule(ms=st.sampled_from([10, 2_000, 30_000, 20 * MINUTE_MS, HOUR_MS]))
    def time_goes_on(self, ms: int) -> None:
        self.clock.advance(ms)
        self.engine.loop.settle()

    @rule()
    def all_goes_well_until_only_time_is_left(self) -> None:
        self.engine.work()

    @precondition(lambda self: self.engine.machine.runs)
    @rule(data=st.data(), down_ms=st.sampled_from([0, 0, HOUR_MS]), busy=st.booleans())
    def the_engine_is_killed_and_started(self, data, down_ms: int, busy: bool) -> None:
        if not busy:
            self.engine.work()
        self.engine.kill()
        self.clock.advance(down_ms)
        self.engine = Engine(self.clock, self.disk, self.engine.prompt)
        if data.draw(st.booleans()) and self._waits():
            self.an_event_answers_a_wait(data)

    @invariant()
    def nothing_went_wrong_between(self) -> None:
        assert self.engine.wrong == []
        query = "SELECT run_id, hash FROM steps GROUP BY run_id, hash HAVING count(*) > 1"
        assert self.disk.execute(query).fetchall() == [], "a step was recorded twice"
        assert set(self._told_ends().values()) <= {1}, "an end was told twice"

    def teardown(self) -> None:
        try:
            self._settle()
            self._judge()
        finally:
            self.engine.kill()
            self.disk.close()
            self.patch.stop()

    def _settle(self) -> None:
        """Let all go well and time pass until nothing is left to do."""
        self.engine.work()
        for ms in [*[3_000] * 20, *[20 * MINUTE_MS] * 200]:
            if not self.engine.machine.runs:
                return
            self.time_goes_on(ms=ms)
            self.engine.work()

    def _judge(self) -> None:
        """What the disk says at the end is what should have come of the events it has."""
        self.nothing_went_wrong_between()
        assert self.engine.machine.runs == {}, "a run never ends"
        assert self.disk.execute("SELECT * FROM pending").fetchall() == []
        runs = self._runs()
        assert self._told_ends() == dict.fromkeys((run["id"] for run in runs), 1)
        for run in runs:
            self._judge_end(run)
        ends = Counter(run["name"] for run in runs if run["name"] != "child")
        skips = self._counts("SELECT substr(function_id, 5) FROM skips")
        query = "SELECT substr(name, 6) FROM events WHERE body->>'$.data.program' > ''"
        assert ends + skips == self._counts(query), "an event was lost"
        starts = sorted(run["started"] for run in runs if run["name"] == "paced" and run["started"])
        for first, later in zip(starts, starts[2:], strict=False):
            assert later - first >= 30_000, "a throttle let too many start"
        for name, (since, least_ms) in APART.items():
            for group in "ab":
                alike = [run for run in runs if (run["name"], run["group"]) == (name, group)]
                for before, after in pairwise(alike):
                    assert after["created"] - before[since] >= least_ms, f"two runs of {name}"

    def _judge_end(self, run: dict) -> None:
        took = run["ended"] - (run["started"] or run["created"])
        if run["status"] == "COMPLETED":
            steps = set(steps_of(run["program"]))
            assert set(run["output"]) == steps == self.engine.kept_steps(run["id"])
            assert took <= 30 * MINUTE_MS or run["name"] != "timed", "it finished after its timeout"
        elif run["id"] not in self.cancelled:
            assert run["status"] == "CANCELLED", run["output"]
            words = {"timed": "did not finish", "latest": "took its place"}[run["name"]]
            assert words in run["output"]["message"]
            assert took >= 30 * MINUTE_MS or run["name"] == "latest"

    def _runs(self) -> list[dict]:
        """The runs on disk, in the order they were made."""
        found = self.disk.execute(
            "SELECT r.id, substr(function_id, 5) name, status, created_at created,"
            " started_at started, ended_at ended, output, body"
            " FROM runs r JOIN events e ON e.internal_id = r.event_id ORDER BY r.rowid"
        )
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row in rows:
            row["output"] = orjson.loads(row["output"])
            row |= {"group": None, "program": CHILD} | orjson.loads(row["body"])["data"]
        return rows

    def _told_ends(self) -> Counter[str]:
        query = "SELECT body->>'$.data.run_id' FROM events WHERE name = 'inngest/function.finished'"
        return self._counts(query)

    def _counts(self, query: str) -> Counter[str]:
        return Counter(value for (value,) in self.disk.execute(query))


TestFaults = Faults.TestCase
TestFaults.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
