"""One user's messages in memory, as far as scoring needs them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from harness.context._column import Column
from harness.context.analysis import date_words, names_time, terms, words
from harness.context.bm25 import LexicalIndex
from harness.context.retriever import Hit, Scope

LONG = 50  # words; a longer message counts as this long
SESSION_GAP_MS = 6 * 3600 * 1000
NONE = -1  # in the place of a neighbour that there is not


@dataclass(frozen=True, slots=True)
class Record:
    """A message as memory keeps it; `sent_at` in milliseconds UTC."""

    id: str
    text: str
    thread_id: str
    order: int
    sent_at: int
    role: str
    speaker: str | None = None


def spoken(record: Record) -> str:
    """The message as it is embedded: who speaks belongs to the meaning, the date does not."""
    return f"{record.speaker}: {record.text}" if record.speaker else record.text


class Corpus:
    """Messages numbered in order of arrival, with a lexical index over them.

    Everything a retrieval reads is an array by message number, kept up to date by each addition:
    one exchange more costs the same at a hundred messages and at a hundred thousand. Hold `lock`
    while using it: several retrievals and an indexing may meet.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.records: list[Record] = []
        self.numbers: dict[str, int] = {}
        self.lexical = LexicalIndex()
        self._lengths = Column(np.float32)
        self._questions = Column(np.float32)
        self._timed = Column(np.float32)
        self._threads = Column(np.int64)
        self._orders = Column(np.int64)
        self._times = Column(np.int64)
        self._sessions = Column(np.int64)
        self._before = Column(np.int64)
        self._after = Column(np.int64)
        self._members: list[list[int]] = []  # of each thread, by order unless it is unsettled
        self._thread_numbers: dict[str, int] = {}
        self._unsettled: set[int] = set()
        self._session_count = 0

    def __len__(self) -> int:
        return len(self.records)

    def add(self, records: Iterable[Record]) -> None:
        """Add messages; one whose id is known already is left as it is."""
        for record in records:
            if record.id not in self.numbers:
                self._append(record)

    @property
    def lengths(self) -> NDArray[np.float32]:
        """How long each message is, 0–1 by the logarithm of its words, float32 [messages]."""
        return self._lengths.values

    @property
    def questions(self) -> NDArray[np.float32]:
        """1 for a message that asks something, else 0, float32 [messages]."""
        return self._questions.values

    @property
    def timed(self) -> NDArray[np.float32]:
        """1 for a message that names a time, else 0, float32 [messages]."""
        return self._timed.values

    @property
    def threads(self) -> NDArray[np.int64]:
        """Each message's thread, int64 [messages], numbered from 0."""
        return self._threads.values

    @property
    def sessions(self) -> NDArray[np.int64]:
        """Each message's session, int64 [messages]: a thread is split at gaps of six hours."""
        self._settle()
        return self._sessions.values

    def neighbours(self, numbers: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
        """The messages that stand so many places on from these in their sessions.

        Args:
            numbers: of messages, int64 [n].
            offset: -1 is the message before.

        Returns:
            int64 [n]; `NONE` where there is none.
        """
        self._settle()
        step = (self._before if offset < 0 else self._after).values
        for _ in range(abs(offset)):
            numbers = np.where(numbers == NONE, NONE, step[numbers])
        return numbers

    def within(self, scope: Scope) -> NDArray[np.bool_]:
        """Which messages the scope lets through, bool [messages]."""
        allowed = np.ones(len(self), np.bool_)
        if scope.thread_id is not None:
            allowed &= self._threads.values == self._thread_numbers.get(scope.thread_id, NONE)
            if scope.before_order is not None:
                allowed &= self._orders.values < scope.before_order
        if scope.sent_before is not None:
            allowed &= self._times.values < scope.sent_before
        for id_ in scope.exclude:
            if id_ in self.numbers:
                allowed[self.numbers[id_]] = False
        return allowed

    def hit(self, number: int, score: float, why: dict[str, float]) -> Hit:
        """A message as something retrieved."""
        record = self.records[number]
        return Hit(
            id=record.id,
            source="message",
            text=record.text,
            score=score,
            why=why,
            thread_id=record.thread_id,
            order=record.order,
            sent_at=record.sent_at,
            role=record.role,
            speaker=record.speaker,
        )

    def _append(self, record: Record) -> None:
        number = len(self.records)
        thread = self._thread_numbers.setdefault(record.thread_id, len(self._members))
        if thread == len(self._members):
            self._members.append([])
        members = self._members[thread]
        self.numbers[record.id] = number
        self.records.append(record)
        self.lexical.add(terms(f"{date_words(record.sent_at)} {spoken(record)}"))
        self._lengths.append(min(1.0, math.log1p(len(words(record.text))) / math.log1p(LONG)))
        self._questions.append("?" in record.text)
        self._timed.append(names_time(record.text))
        self._threads.append(thread)
        self._orders.append(record.order)
        self._times.append(record.sent_at)
        for column in (self._sessions, self._before, self._after):
            column.append(NONE)
        if members and self.records[members[-1]].order > record.order:
            self._unsettled.add(thread)  # it came late: its thread is put in order when next read
        elif thread not in self._unsettled:
            self._link(members[-1:], number)
        members.append(number)

    def _settle(self) -> None:
        for thread in self._unsettled:
            members = self._members[thread]
            members.sort(key=lambda number: self.records[number].order)
            for place, number in enumerate(members):
                self._before.values[number] = self._after.values[number] = NONE
                self._link(members[max(0, place - 1) : place], number)
        self._unsettled.clear()

    def _link(self, last: Sequence[int], number: int) -> None:
        """Let a message follow the last one of its thread, if there is one."""
        for before in last:
            gap = self.records[number].sent_at - self.records[before].sent_at
            if gap <= SESSION_GAP_MS:
                self._sessions.values[number] = self._sessions.values[before]
                self._before.values[number] = before
                self._after.values[before] = number
                return
        self._sessions.values[number] = self._session_count
        self._session_count += 1
