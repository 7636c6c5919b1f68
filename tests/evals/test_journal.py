import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from evals.journal import FINISHED, RUNNING, Journal
from harness.errors import HarnessError


def _row(sample, repeat=0, **more):
    return {"sample": sample, "repeat": repeat, "error": None, **more}


class Deaths(RuleBasedStateMachine):
    """Rows are appended and the file is cut anywhere: what was written whole before it stays."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / RUNNING
        self.written = {}  # rows in their order
        self.ends = []  # of the file, after each row
        self.journal = Journal(Path(self.folder.name))

    @rule(
        text=st.text(st.characters(), max_size=20),
        score=st.none() | st.floats(allow_nan=False),
        found=st.lists(st.text(max_size=3), max_size=3),
        repeat=st.integers(0, 9),
    )
    def append(self, text, score, found, repeat):
        row = _row(f"s{len(self.ends)}", repeat, text=text, score=score, found=found)
        self.journal.append(row)
        self.written[row["sample"], repeat] = row
        self.ends.append(self.path.stat().st_size)

    @precondition(lambda self: self.ends)
    @rule(share=st.floats(0, 1))
    def die_and_lose_the_end(self, share):
        self.journal.close()
        size = int(self.ends[-1] * share)
        with self.path.open("r+b") as file:
            file.truncate(size)
        self.ends = [end for end in self.ends if end <= size]
        self.written = dict(list(self.written.items())[: len(self.ends)])
        self.journal = Journal(self.path.parent)

    @rule(torn=st.binary(max_size=30).map(lambda torn: torn.replace(b"\n", b"") or b"{"))
    def die_while_writing(self, torn):
        self.journal.close()
        with self.path.open("ab") as file:
            file.write(torn)
        self.journal = Journal(self.path.parent)

    @invariant()
    def holds_what_was_written(self):
        assert self.journal.rows == self.written
        assert list(self.journal.rows) == list(self.written)

    def teardown(self):
        self.journal.close()
        self.folder.cleanup()


Deaths.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_deaths = Deaths.TestCase


def test_an_interrupted_run_goes_on_and_a_finished_one_begins_anew(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(_row("a"))
    with Journal(tmp_path) as journal:
        assert list(journal.rows) == [("a", 0)]
        journal.append(_row("b"))
    journal.finish()
    with Journal(tmp_path) as journal:
        assert journal.rows == {}


def test_a_finished_run_is_taken_up_where_that_is_asked_for(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(_row("a"))
    journal.finish()
    with Journal(tmp_path, resume=True) as journal:
        assert list(journal.rows) == [("a", 0)]
    assert not (tmp_path / FINISHED).exists()


def test_an_interrupted_run_is_left_where_that_is_asked_for(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(_row("a"))
    with Journal(tmp_path, resume=False) as journal:
        assert journal.rows == {}
        journal.append(_row("b"))
    with Journal(tmp_path) as journal:
        assert list(journal.rows) == [("b", 0)]


def test_resuming_nothing_is_refused(tmp_path):
    with pytest.raises(HarnessError, match="no run of this code and configuration"):
        Journal(tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_two_runs_do_not_write_at_once(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append(_row("a"))
        with pytest.raises(HarnessError, match="is writing"):
            Journal(tmp_path, resume=False)
    with Journal(tmp_path) as journal:
        assert list(journal.rows) == [("a", 0)]
