"""One user's messages in memory, as far as scoring needs them."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from harness.context.analysis import date_words, terms
from harness.context.bm25 import LexicalIndex
from harness.context.retriever import Hit, Scope

SESSION_GAP_MS = 6 * 3600 * 1000


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


@dataclass(frozen=True, slots=True)
class Layout:
    """How messages follow each other: `order[i]` is the number of the i-th message when sorted by
    thread and place, `sessions[i]` its session."""

    order: NDArray[np.int64]
    sessions: NDArray[np.int64]


class Corpus:
    """Messages numbered in order of arrival, with a lexical index over them.

    Hold `lock` while using it: several retrievals and an indexing may meet.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.records: list[Record] = []
        self.numbers: dict[str, int] = {}
        self.lexical = LexicalIndex()
        self._layout: Layout | None = None

    def __len__(self) -> int:
        return len(self.records)

    def add(self, records: Iterable[Record]) -> None:
        """Add messages; one whose id is known already is left as it is."""
        for record in records:
            if record.id in self.numbers:
                continue
            self.numbers[record.id] = len(self.records)
            self.records.append(record)
            self.lexical.add(terms(f"{date_words(record.sent_at)} {spoken(record)}"))
            self._layout = None

    def within(self, scope: Scope) -> NDArray[np.bool_]:
        """Which messages the scope lets through, bool [messages]."""
        allowed = np.ones(len(self.records), np.bool_)
        if scope.thread_id is not None:
            limit = scope.before_order
            for number, record in enumerate(self.records):
                allowed[number] = record.thread_id == scope.thread_id and (
                    limit is None or record.order < limit
                )
        for id_ in scope.exclude:
            if id_ in self.numbers:
                allowed[self.numbers[id_]] = False
        return allowed

    def layout(self) -> Layout:
        """The messages' order in their conversations, with sessions split at gaps of six hours."""
        if self._layout is None:
            names = {name: i for i, name in enumerate({r.thread_id for r in self.records})}
            threads = np.array([names[r.thread_id] for r in self.records], np.int64)
            places = np.array([r.order for r in self.records], np.int64)
            times = np.array([r.sent_at for r in self.records], np.int64)
            order = np.lexsort((places, threads))
            new_thread = np.diff(threads[order]) != 0
            gap = np.diff(times[order]) > SESSION_GAP_MS
            sessions = np.concatenate([[0], np.cumsum(new_thread | gap)])[: len(order)]
            self._layout = Layout(order, sessions.astype(np.int64))
        return self._layout

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
