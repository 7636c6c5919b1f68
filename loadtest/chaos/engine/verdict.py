"""What must hold after the kills, counted from what the app saw and what the engine kept."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from loadtest.chaos.engine.app import SLEEP_MS
from loadtest.chaos.engine.load import Accepted
from loadtest.chaos.engine.witness import Call, Ran, Seen, Told


@dataclass
class Kept:
    """What the engine keeps of an accepted event's runs.

    Attributes:
        runs: as its REST interface tells them.
        recorded: when each step of a run was recorded, in seconds since the epoch, by run and name.
        twice: steps that were recorded more than once.
    """

    accepted: Accepted
    runs: list[dict[str, Any]]
    recorded: dict[tuple[str, str], float] = field(default_factory=dict)
    twice: int = 0


@dataclass(frozen=True)
class Verdict:
    """What was broken; all must be 0.

    Attributes:
        lost: accepted events whose run is missing, did not complete, or whose end was not told of.
        stuck: runs that have not ended.
        duplicated: events with more than one run, runs whose end was told more than once, steps
            that were recorded more than once.
        reran: steps that ran again in a call made after their result was acknowledged.
        early: sleeps that ended before their time.
    """

    lost: int
    stuck: int
    duplicated: int
    reran: int
    early: int

    @property
    def broken(self) -> bool:
        """Whether anything is."""
        return any((self.lost, self.stuck, self.duplicated, self.reran, self.early))


async def look_up(client: httpx.AsyncClient, accepted: Accepted) -> Kept:
    """Ask the engine for an event's runs and their steps."""
    answer = await client.get(f"/v1/events/{accepted.found_by}/runs")
    kept = Kept(accepted, answer.json()["data"] if answer.status_code == 200 else [])
    for run in kept.runs:
        timeline = (await client.get(f"/v1/runs/{run['run_id']}/timeline")).json()["data"]
        for step in timeline["steps"]:
            place = (run["run_id"], step["name"])
            kept.twice += place in kept.recorded
            kept.recorded.setdefault(place, step["ended_at"] / 1000)
    return kept


def judge(seen: Sequence[Seen], kept: Sequence[Kept]) -> Verdict:
    """Compare what the app saw with what must hold.

    Args:
        seen: in the order it was written.
        kept: of every accepted event.
    """
    told = Counter(run for run, _ in {(item.run, item.event) for item in _told(seen)})
    runs = [run for item in kept for run in item.runs]
    right = sum(_right(item, told) for item in kept)
    stuck = sum(run["ended_at"] is None for run in runs)
    twice = sum(len(item.runs) > 1 for item in kept) + sum(item.twice for item in kept)
    recorded = {place: at for item in kept for place, at in item.recorded.items()}
    return Verdict(
        lost=len(kept) - right - stuck,
        stuck=stuck,
        duplicated=twice + sum(count > 1 for count in told.values()),
        reran=_reran(seen, recorded),
        early=_early(seen, {run["run_id"] for run in runs if "sleeps" in run["function_id"]}),
    )


def _told(seen: Sequence[Seen]) -> Iterable[Told]:
    return (item for item in seen if isinstance(item, Told))


def _right(kept: Kept, told: Counter[str]) -> bool:
    first = kept.runs[0] if kept.runs else None
    return (
        first is not None
        and first["status"] == "Completed"
        and first["output"] == kept.accepted.key
        and told[first["run_id"]] > 0
    )


def _reran(seen: Sequence[Seen], recorded: dict[tuple[str, str], float]) -> int:
    """Steps that ran in a call that came after the engine had, or showed that it had, their result.

    A call that a dead engine made may still be executing a step that its successor has finished
    since: when the call came decides, not when the step ran.
    """
    known: dict[str, set[str]] = {}
    known_before: dict[str, set[str]] = {}
    came_at: dict[str, float] = {}
    reran = set()
    for item in seen:
        match item:
            case Call():
                known_before[item.id] = set(known.get(item.run, ()))
                came_at[item.id] = item.at
                known.setdefault(item.run, set()).update(item.known)
            case Ran():
                shown = _hash(item.step) in known_before[item.call]
                done_at = recorded.get((item.run, item.step), float("inf"))
                if shown or came_at[item.call] > done_at:
                    reran.add((item.run, item.step))
            case Told():
                pass
    return len(reran)


def _early(seen: Sequence[Seen], sleepers: set[str]) -> int:
    """Sleeps with too little time between the first runs of the steps around them."""
    ran_at: dict[str, dict[str, float]] = {run: {} for run in sleepers}
    for item in seen:
        if isinstance(item, Ran) and item.run in sleepers:
            ran_at[item.run].setdefault(item.step, item.at)
    return sum(
        "after" in steps and steps["after"] - steps["before"] < SLEEP_MS / 1000
        for steps in ran_at.values()
    )


def _hash(step: str) -> str:
    """A step's id as the SDK's protocol has it."""
    return hashlib.sha1(step.encode()).hexdigest()
