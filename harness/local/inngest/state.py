"""What the engine holds in memory: events, unfinished runs and what each of them waits for."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

import orjson

DISCOVERY = ""  # the hash of a run's pending discovery, which belongs to no step


class Status(StrEnum):
    """Where a run stands."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Kind(StrEnum):
    """What a run waits for: two kinds call the app, three end by themselves."""

    DISCOVERY = "discovery"
    STEP = "step"
    SLEEP = "sleep"
    WAIT = "wait"
    INVOKE = "invoke"

    @property
    def calls(self) -> bool:
        """Whether it is done by calling the app."""
        return self in {Kind.DISCOVERY, Kind.STEP}


@dataclass(slots=True)
class Event:
    """An accepted event.

    Attributes:
        internal_id: the engine's own id, unique.
        id: the sender's id, or the internal one.
        ts: the sender's time, in milliseconds.
        received_at: when it was accepted, in milliseconds.
        body: its JSON, as functions get it.
        payload: the same, parsed.
    """

    internal_id: str
    id: str
    name: str
    ts: int
    received_at: int
    body: bytes
    payload: dict[str, Any]

    @classmethod
    def create(cls, payload: dict[str, Any], internal_id: str, received_at: int) -> "Event":
        """The event of a payload with its id and time filled in."""
        payload = {
            **payload,
            "data": payload.get("data") or {},
            "id": payload.get("id") or internal_id,
            "ts": payload.get("ts") or received_at,
        }
        return cls(
            internal_id,
            payload["id"],
            payload["name"],
            payload["ts"],
            received_at,
            orjson.dumps(payload),
            payload,
        )


@dataclass(slots=True, eq=False)
class Pending:
    """One thing a run waits for.

    Attributes:
        hash: the step's id, `DISCOVERY` for a discovery.
        due_at: when it is to be done or times out, in milliseconds; None for at once, or never.
        attempt: how often it failed so far.
        race: whether its end is followed by a discovery though others are pending.
        stored: whether the journal has a row of it.
        calling: whether the app is being called for it.
        told: how many finished steps the app was told of when it was last called.
        refused: how often in a row the app could not be reached.
    """

    run: "Run"
    hash: str
    kind: Kind
    name: str = ""
    due_at: int | None = None
    attempt: int = 0
    race: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    queued_at: int = 0
    started_at: int | None = None
    stored: bool = False
    calling: bool = False
    told: int = 0
    refused: int = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def live(self) -> bool:
        """Whether its run still waits for it."""
        return self.run.pending.get(self.hash) is self


@dataclass(frozen=True, slots=True)
class Skipped:
    """No run, though an event matched; the reason is for people."""

    reason: str


@dataclass(slots=True, eq=False)
class Run:
    """An unfinished run.

    Attributes:
        memos: each finished step's JSON by its hash, in the order they finished.
        kept: how many of them are on disk.
        parallel: whether steps must be planned before they are run.
        race: whether a race of parallel steps was ever part of it.
        parent: the run and the step that invoked it.
        singleton: what it counts as, where one run at a time may.
        deadline: the timer that cancels it.
    """

    id: str
    function_id: str
    event: Event
    created_at: int
    started_at: int | None = None
    status: Status = Status.RUNNING
    memos: dict[str, bytes] = field(default_factory=dict)
    kept: int = 0
    size: int = 0
    pending: dict[str, Pending] = field(default_factory=dict)
    parallel: bool = False
    race: bool = False
    parent: tuple[str, str] | None = None
    singleton: str | None = None
    deadline: asyncio.TimerHandle | None = None

    @property
    def told(self) -> dict[str, bytes]:
        """The memos that are on disk: those that its app may hear of."""
        if self.kept == len(self.memos):
            return self.memos
        return dict(islice(self.memos.items(), self.kept))

    def stop_timers(self) -> None:
        """Let nothing fire any more for a run that ended."""
        for item in self.pending.values():
            if item.timer:
                item.timer.cancel()
        if self.deadline:
            self.deadline.cancel()
