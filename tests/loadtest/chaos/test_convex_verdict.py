"""What must hold of the Convex engine is found broken where it is."""

from collections import Counter
from dataclasses import replace

import orjson
import pytest

from loadtest.chaos.convex.kept import Kept
from loadtest.chaos.convex.seen import Seen, Shown, read
from loadtest.chaos.convex.verdict import Verdict, judge

LAST_KILL = 50.0
NOTHING = Verdict(
    lost=0,
    duplicated=0,
    torn=0,
    untrue=0,
    stuck=0,
    refused=0,
    scheduled_lost=0,
    scheduled_duplicated=0,
)


def operation(key, kind="plain"):
    return {"key": key, "kind": kind}


def legs(key):
    amounts = ((0, -5), (1, 5))
    return [{"key": key, "account": account, "amount": amount} for account, amount in amounts]


def accounts(entries):
    return [
        {"number": 0, "balance": -5 * entries, "entries": entries},
        {"number": 1, "balance": 5 * entries, "entries": entries},
    ]


def job(key, state="success"):
    return {"args": [{"key": key}], "state": {"kind": state}}


KEPT = Kept(
    accounts=accounts(3),
    operations=[operation("http-1"), operation("socket-2", "schedules"), operation("c", "acts")],
    legs=[*legs("http-1"), *legs("socket-2"), *legs("c")],
    runs=[{"key": "socket-2"}],
    acts=[{"key": "c"}],
    ticks=[{"_creationTime": 60_000}],
    jobs=[job("socket-2"), job("c")],
)
SEEN = Seen(
    sent={"http-1": 1.0, "socket-2": 1.0, "c": 1.0},
    acked={"http-1": 2.0, "socket-2": 2.0},
    began=Counter(["c"]),
    shown={"watcher": [Shown(0, 2, ("http-1",)), Shown(0, 6, ("socket-2", "c"))]},
)


def broken(seen=SEEN, kept=KEPT):
    verdict = judge(seen, kept, LAST_KILL)
    assert verdict.broken
    return {name: count for name, count in vars(verdict).items() if count}


def test_what_is_whole_breaks_nothing():
    assert judge(SEEN, KEPT, LAST_KILL) == NOTHING
    assert not NOTHING.broken


def test_an_acknowledged_mutation_that_is_not_there_is_lost():
    assert broken(replace(SEEN, acked=SEEN.acked | {"http-9": 3.0})) == {"lost": 1}


def test_a_mutation_that_was_applied_twice_is_duplicated():
    twice = replace(
        KEPT,
        operations=[*KEPT.operations, operation("http-1")],
        legs=[*KEPT.legs, *legs("http-1")],
        accounts=accounts(4),
    )
    assert broken(kept=twice) == {"duplicated": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"legs": KEPT.legs[:-1], "accounts": [KEPT.accounts[0], accounts(2)[1]]},
        {"accounts": [KEPT.accounts[0], accounts(2)[1]]},
        {"runs": [*KEPT.runs, {"key": "undone"}]},
        {"legs": [*KEPT.legs, *legs("undone")], "accounts": accounts(4)},
    ],
    ids=["half a mutation", "a lost update", "a job of what was undone", "a part undone"],
)
def test_documents_that_disagree_are_torn(change):
    assert broken(kept=replace(KEPT, **change)) == {"torn": 1}


@pytest.mark.parametrize("state", [Shown(5, 6, ()), Shown(0, 7, ())])
def test_a_state_that_was_shown_and_does_not_add_up_is_torn(state):
    shown = {"watcher": [*SEEN.shown["watcher"], state]}
    assert broken(replace(SEEN, shown=shown)) == {"torn": 1}


def test_what_was_shown_and_is_not_there_is_untrue():
    shown = {"watcher": [Shown(0, 2, ("http-9",))]}
    assert broken(replace(SEEN, shown=shown)) == {"untrue": 1}


def test_a_state_that_is_shown_after_a_later_one_is_untrue():
    shown = {"watcher": [Shown(0, 6, ()), Shown(0, 4, ())]}
    assert broken(replace(SEEN, shown=shown)) == {"untrue": 1}


def test_an_unanswered_mutation_is_stuck_only_where_its_client_sends_again():
    sent = SEEN.sent | {"socket-9": 1.0, "http-9": 1.0}
    assert broken(replace(SEEN, sent=sent)) == {"stuck": 1}


def test_a_mutation_that_failed_is_refused():
    assert broken(replace(SEEN, refused={"http-9": "why"})) == {"refused": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"runs": []},
        {"jobs": KEPT.jobs[1:]},
        {"jobs": [job("socket-2", "pending"), job("c")]},
        {"jobs": [job("socket-2"), job("c", "inProgress")]},
        {"acts": []},
        {"ticks": [{"_creationTime": 40_000}]},
    ],
    ids=["no run", "no job", "pending", "in progress", "no act", "no ticks any more"],
)
def test_a_job_that_did_not_run_or_end_is_lost(change):
    assert broken(kept=replace(KEPT, **change)) == {"scheduled_lost": 1}


def test_an_action_that_was_cut_off_may_have_failed():
    failed = [job("socket-2"), job("c", "failed")]
    assert judge(SEEN, replace(KEPT, jobs=failed, acts=[]), LAST_KILL) == NOTHING


def test_a_job_that_ran_twice_is_duplicated():
    assert broken(kept=replace(KEPT, runs=KEPT.runs * 2)) == {"scheduled_duplicated": 1}
    assert broken(kept=replace(KEPT, acts=KEPT.acts * 2)) == {"scheduled_duplicated": 1}
    assert broken(replace(SEEN, began=Counter({"c": 2}))) == {"scheduled_duplicated": 1}


def test_what_the_load_was_told_is_read_from_its_lines(tmp_path):
    lines = [
        ["sent", 1000, "http-1"],
        ["acked", 2000, "http-1"],
        ["refused", "http-2", "why"],
        ["began", "c"],
        ["shown", "watcher", 0, 2, ["http-1"]],
    ]
    path = tmp_path / "seen.jsonl"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    assert read(path) == Seen(
        sent={"http-1": 1.0},
        acked={"http-1": 2.0},
        refused={"http-2": "why"},
        began=Counter(["c"]),
        shown={"watcher": [Shown(0, 2, ("http-1",))]},
    )
