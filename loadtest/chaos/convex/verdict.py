"""What must hold after the kills, counted from what was told and what is kept."""

from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from itertools import pairwise

from loadtest.chaos.convex.kept import Kept, ended
from loadtest.chaos.convex.seen import SOCKET, Seen, Shown

LEGS = 2  # of an operation


@dataclass(frozen=True)
class Verdict:
    """What was broken; all must be 0.

    Attributes:
        lost: operations that were acknowledged and are not there.
        duplicated: operations that were applied more than once, each time too many.
        torn: operations of which only a part is there or more than all, accounts that disagree with
            their entries, states shown that do not add up, effects of what was undone.
        untrue: operations that were shown and are not there, and states that were shown after a
            later one.
        stuck: operations sent over a WebSocket that were never answered.
        refused: operations that failed.
        scheduled_lost: scheduled functions that did not run or never ended, and 1 for a cron job
            that has not run since the last kill.
        scheduled_duplicated: scheduled functions that ran more than once.
    """

    lost: int
    duplicated: int
    torn: int
    untrue: int
    stuck: int
    refused: int
    scheduled_lost: int
    scheduled_duplicated: int

    @property
    def broken(self) -> bool:
        """Whether anything is."""
        return any(getattr(self, each.name) for each in fields(self))


def judge(seen: Seen, kept: Kept, last_kill: float) -> Verdict:
    """Compare what was told with what is kept.

    Args:
        last_kill: when it was, in seconds since the epoch.
    """
    times = Counter(each["key"] for each in kept.operations)
    answered = seen.acked.keys() | seen.refused.keys()
    shown = {key for states in seen.shown.values() for state in states for key in state.new}
    return Verdict(
        lost=len(seen.acked.keys() - times.keys()),
        duplicated=_surplus(times),
        torn=_torn(kept, times) + sum(map(_torn_states, seen.shown.values())),
        untrue=len(shown - times.keys()) + sum(map(_steps_back, seen.shown.values())),
        stuck=sum(key.startswith(SOCKET) for key in seen.sent.keys() - answered),
        refused=len(seen.refused),
        scheduled_lost=_scheduled_lost(kept, last_kill),
        scheduled_duplicated=_scheduled_twice(kept, seen.began),
    )


def _torn(kept: Kept, times: Counter[str]) -> int:
    amounts: dict[str, list[float]] = defaultdict(list)
    entries: dict[float, list[float]] = defaultdict(list)
    for leg in kept.legs:
        amounts[leg["key"]].append(leg["amount"])
        entries[leg["account"]].append(leg["amount"])
    parts = sum(
        len(amounts[key]) != LEGS * times[key] or sum(amounts[key]) != 0
        for key in times.keys() | amounts.keys()
    )
    accounts = sum(
        (account["balance"], account["entries"])
        != (sum(entries[account["number"]]), len(entries[account["number"]]))
        for account in kept.accounts
    )
    undone = {each["key"] for each in (*kept.runs, *kept.acts)} - times.keys()
    return parts + accounts + len(undone)


def _torn_states(states: list[Shown]) -> int:
    return sum(state.total != 0 or state.entries % LEGS != 0 for state in states)


def _steps_back(states: list[Shown]) -> int:
    return sum(after.entries < before.entries for before, after in pairwise(states))


def _scheduled_lost(kept: Kept, last_kill: float) -> int:
    """Mutations must have run; actions must have ended, and left their mark if they ended well."""
    ran, acted = ({each["key"] for each in found} for found in (kept.runs, kept.acts))
    jobs = {str(job["args"][0]["key"]): job for job in kept.jobs}
    lost = 0
    for operation in kept.operations:
        key, kind = operation["key"], operation["kind"]
        if kind not in ("schedules", "acts"):
            continue
        job = jobs.get(key)
        if job is None or not ended(job):
            lost += 1
        elif kind == "schedules":
            lost += key not in ran
        else:
            lost += job["state"]["kind"] == "success" and key not in acted
    ticked = any(tick["_creationTime"] / 1000 > last_kill for tick in kept.ticks)
    return lost + (not ticked)


def _scheduled_twice(kept: Kept, began: Counter[str]) -> int:
    ran, acted = (Counter(each["key"] for each in found) for found in (kept.runs, kept.acts))
    return sum(map(_surplus, (ran, acted, began)))


def _surplus(times: Counter[str]) -> int:
    return sum(count - 1 for count in times.values())
