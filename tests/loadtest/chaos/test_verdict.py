"""What must hold is found broken where it is."""

import hashlib

import pytest

from loadtest.chaos.engine.load import Accepted
from loadtest.chaos.engine.verdict import Kept, Verdict, judge
from loadtest.chaos.engine.witness import Call, Log, Ran, Reader, Told

NOTHING = Verdict(lost=0, stuck=0, duplicated=0, reran=0, early=0)
ENDED = {"run_id": "r", "function_id": "chaos-row", "status": "Completed", "ended_at": "now"}


def known(*steps):
    return frozenset(hashlib.sha1(step.encode()).hexdigest() for step in steps)


def kept(*runs, **fields):
    return Kept(Accepted("k", "row", "k"), list(runs), **fields)


WHOLE = kept(ENDED | {"output": "k"}, recorded={("r", "one"): 2.5})
SEEN = [
    Call("c1", 1.0, "r", known()),
    Ran("c1", 2.0, "r", "one"),
    Call("c2", 3.0, "r", known("one")),
    Told("e1", "r", "k"),
]


def test_a_whole_run_breaks_nothing():
    assert judge(SEEN, [WHOLE]) == NOTHING
    assert not NOTHING.broken


@pytest.mark.parametrize(
    "run",
    [
        ENDED | {"output": "another"},
        ENDED | {"output": "k", "status": "Failed"},
        ENDED | {"output": "k", "run_id": "untold"},
    ],
)
def test_a_run_that_ended_wrongly_or_untold_is_lost(run):
    assert judge(SEEN, [kept(run)]).lost == 1


def test_an_event_without_a_run_is_lost():
    assert judge(SEEN, [WHOLE, kept()]).lost == 1


def test_a_run_without_an_end_is_stuck_and_not_lost():
    found = judge([], [kept(ENDED | {"ended_at": None, "status": "Running"})])
    assert (found.stuck, found.lost) == (1, 0)


def test_a_step_that_runs_in_a_call_after_its_result_was_shown_ran_again():
    again = [*SEEN, Call("c3", 4.0, "r", known()), Ran("c3", 4.0, "r", "one")]
    assert judge(again, [kept(ENDED | {"output": "k"})]).reran == 1


def test_a_step_that_runs_in_a_call_after_its_result_was_recorded_ran_again():
    again = [*SEEN[:2], Call("c2", 3.0, "r", known()), Ran("c2", 3.0, "r", "one"), SEEN[-1]]
    assert judge(again, [WHOLE]).reran == 1


def test_a_call_of_a_dead_engine_may_run_a_step_that_its_successor_has_finished():
    zombie = [Call("c0", 0.5, "r", known()), *SEEN, Ran("c0", 9.0, "r", "one")]
    assert judge(zombie, [WHOLE]) == NOTHING


def test_two_runs_two_ends_and_two_records_are_duplicates():
    run = ENDED | {"output": "k"}
    assert judge(SEEN, [kept(run, run | {"run_id": "s"})]).duplicated == 1
    assert judge([*SEEN, Told("e1", "r", "k")], [WHOLE]) == NOTHING  # the same event, heard twice
    assert judge([*SEEN, Told("e2", "r", "k")], [WHOLE]).duplicated == 1
    assert judge(SEEN, [kept(run, twice=1)]).duplicated == 1


def test_a_sleep_that_ends_before_its_time_is_early():
    sleeper = ENDED | {"function_id": "chaos-sleeps", "output": "k"}
    seen = [
        Call("c", 1.0, "r", known()),
        Ran("c", 1.0, "r", "before"),
        Ran("c", 1.1, "r", "after"),
        Told("e", "r", "k"),
    ]
    assert judge(seen, [kept(sleeper)]).early == 1


def test_what_the_app_saw_is_read_as_it_grows_and_a_torn_line_is_left(tmp_path):
    path = tmp_path / "seen.jsonl"
    reader = Reader(path)
    assert list(reader.news()) == []
    log = Log(path)
    log.call("c", "r", ["h"])
    [call] = reader.news()
    assert (call.id, call.run, call.known) == ("c", "r", {"h"})
    with path.open("ab") as file:
        file.write(b'["told","e"')
    assert list(reader.news()) == []
