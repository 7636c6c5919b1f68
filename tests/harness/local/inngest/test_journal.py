"""The journal's order and its failures, whichever thread commits."""

import asyncio
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.local.inngest import _schema as sql
from harness.local.inngest.journal import Journal, JournalError


def note(number):
    return [(sql.ADD_NOTE, ("run", "step", "name", number, "text"))]


@pytest.fixture
async def opened(tmp_path):
    """Opens journals; what broke them is in their `failures`."""
    journals = []

    def open_journal():
        failures = []
        path = tmp_path / f"{len(journals)}.db"
        journals.append(Journal(path, "NORMAL", failures.append))
        return journals[-1], path, failures

    yield open_journal
    for journal in journals:
        await journal.close()


@given(commits=st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=30))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_commits_are_made_and_told_in_their_order(tmp_path_factory, commits):
    path = tmp_path_factory.mktemp("journal") / "some.db"
    told = []

    def seen(number):
        # What is told is on disk: another connection sees it.
        (last,) = reader.execute("SELECT MAX(at) FROM notes").fetchone()
        assert last >= number
        told.append(number)

    async def run():
        journal = Journal(path, "NORMAL", lambda error: None)
        for number, (here, turns) in enumerate(commits):
            journal.submit(note(number), lambda number=number: seen(number), here=here)
            assert number not in told, "whoever submits is told later, never meanwhile"
            for _ in range(turns):
                await asyncio.sleep(0)
        await journal.commit(note(len(commits)))
        await journal.close()

    with sqlite3.connect(path) as reader:
        asyncio.run(run())
        assert told == list(range(len(commits)))
        rows = reader.execute("SELECT at FROM notes ORDER BY rowid").fetchall()
    reader.close()
    assert [at for (at,) in rows] == [*told, len(commits)]


@pytest.mark.parametrize("here", [True, False])
async def test_a_failed_write_is_told_once_and_nothing_is_taken_after_it(opened, until, here):
    journal, path, failures = opened()
    told = []
    journal.submit(note(1), lambda: told.append(1), here=here)
    journal.submit([("INSERT INTO nowhere VALUES (1)", ())], lambda: told.append(2), here=here)
    await until(lambda: failures)
    with pytest.raises(JournalError, match=f"{path.name} cannot be written"):
        journal.submit(note(3), lambda: told.append(3), here=here)
    await asyncio.sleep(0)
    assert len(failures) == 1
    assert 2 not in told
    assert 3 not in told
