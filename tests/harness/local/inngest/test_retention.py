"""What is old goes; what is unfinished, young or still wanted stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.local.inngest import retention
from harness.local.inngest.ids import now_ms
from harness.local.inngest.journal import Journal
from harness.local.inngest.retention import BATCH, Pruned, Pruner
from harness.local.inngest.state import DISCOVERY, Event, Kind, Pending, Run, Status
from harness.local.inngest.transaction import Transaction

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TABLES = ("runs", "events", "steps", "attempts", "pending", "skips")


@pytest.fixture
async def journal(tmp_path):
    opened = Journal(tmp_path / "inngest.db", "NORMAL", pytest.fail)
    yield opened
    await opened.close()


@contextmanager
def clock(monkeypatch, at: int) -> Iterator[None]:
    """What the journal writes meanwhile is of this time."""
    with monkeypatch.context() as patched:
        patched.setattr("harness.local.inngest.transaction.now_ms", lambda: at)
        yield


def counts(journal) -> dict[str, int]:
    return {
        table: journal.reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in TABLES
    }


async def store(journal, monkeypatch, name, at, *, ended=True):
    """A run of an event, with a step and a failed attempt; it waits for something, or has ended."""
    event = Event.create({"name": "test/go", "data": {}}, f"event-{name}", at)
    run = Run(f"run-{name}", "app-f", event, at)
    called = Pending(run, DISCOVERY, Kind.DISCOVERY, queued_at=at, started_at=at)
    tx = Transaction()
    with clock(monkeypatch, at):
        tx.add_event(event)
        tx.add_skip(event, "app-g", "its rate limit is used up")
        tx.add_run(run)
        tx.add_step(called, "hash", "step", "StepRun", b"{}", False)
        tx.add_attempt(called, "hash", "step", {"message": "no"})
        if ended:
            tx.end_run(run, Status.COMPLETED, b"null")
        else:
            tx.put_pending(called)
    await journal.commit(tx.statements)


async def test_an_old_run_goes_with_all_that_is_told_of_it(journal, monkeypatch):
    now = now_ms()
    await store(journal, monkeypatch, "old", now - 3 * DAY_MS)
    await store(journal, monkeypatch, "young", now - HOUR_MS)
    assert await Pruner(journal, 2 * DAY_MS).prune() == Pruned(runs=1, events=1)
    assert counts(journal) == dict.fromkeys(TABLES, 1) | {"pending": 0}
    assert journal.reader.execute("SELECT id FROM runs").fetchall() == [("run-young",)]


async def test_an_unfinished_run_is_kept_with_its_event_however_old(journal, monkeypatch):
    await store(journal, monkeypatch, "waits", now_ms() - 300 * DAY_MS, ended=False)
    before = counts(journal)
    assert await Pruner(journal, HOUR_MS).prune() == Pruned(runs=0, events=0)
    assert counts(journal) == before


async def test_a_run_that_began_long_ago_is_kept_until_its_end_is_old(journal, monkeypatch):
    now = now_ms()
    await store(journal, monkeypatch, "long", now - 30 * DAY_MS, ended=False)
    ended = Run("run-long", "app-f", Event.create({"name": "n"}, "e", 0), 0)
    tx = Transaction()
    tx.end_run(ended, Status.COMPLETED, b"null")
    await journal.commit(tx.statements)
    assert (await Pruner(journal, DAY_MS).prune()).runs == 0


async def test_an_event_is_kept_for_the_day_in_which_its_id_is_remembered(journal, monkeypatch):
    await store(journal, monkeypatch, "recent", now_ms() - 5 * HOUR_MS)
    assert await Pruner(journal, HOUR_MS).prune() == Pruned(runs=1, events=0)
    assert counts(journal)["events"] == 1


async def test_a_backlog_goes_in_small_transactions_and_its_space_is_used_again(
    journal, monkeypatch, tmp_path
):
    monkeypatch.setattr(retention, "PAUSE_S", 0)
    path, many = tmp_path / "inngest.db", 3 * BATCH + 1

    async def fill(round_):
        at = now_ms() - 5 * DAY_MS
        for number in range(many):
            await store(journal, monkeypatch, f"{round_}-{number}", at)
        await journal.commit([])

    sizes = []
    for round_ in range(3):
        await fill(round_)
        committed = []
        commit = journal.commit

        async def counted(statements, commit=commit, committed=committed):
            committed.append(max(len(parameters) for _, parameters in statements))
            await commit(statements)

        with monkeypatch.context() as patched:
            patched.setattr(journal, "commit", counted)
            assert await Pruner(journal, DAY_MS).prune() == Pruned(runs=many, events=many)
        assert max(committed) <= BATCH
        with sqlite3.connect(path) as connection:
            sizes.append(connection.execute("PRAGMA page_count").fetchone()[0])
        connection.close()
    assert counts(journal) == dict.fromkeys(TABLES, 0)
    assert sizes[2] <= sizes[0] * 1.1


async def test_an_engine_prunes_when_it_starts(local):
    @local.function("plain", "test/go")
    async def plain(ctx):
        return "done"

    await local.serve()
    run = await local.ended(await local.send("test/go"))
    path = f"/v1/runs/{run['run_id']}"
    local.stop_engine()
    local.start_engine(retention_ms=1)
    while (found := await local.http.get(path)).status_code != 404:
        assert found.status_code == 200
