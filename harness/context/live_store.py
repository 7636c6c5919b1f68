"""What a message's context is read from: Convex, less often than a message comes."""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Protocol

from harness.context.history import HistoryStore
from harness.context.live import LiveQuery
from harness.context.summary import SummaryStore
from harness.models import Message, ThreadSummary
from harness.store.results import CurrentPreferences
from harness.telemetry.metrics import count_lookup

IDLE_S = 600.0
_SPARE = 2  # messages followed beyond those asked for: an exchange may have been added since


class ReadStore(HistoryStore, SummaryStore, Protocol):
    """What has to be read when it is not known: messages, and preferences with their version."""

    async def current_preferences(self, user_id: str) -> CurrentPreferences:
        """The user's preferences and their version."""


class ContextWatcher(Protocol):
    """What pushes changes; `harness.store.Subscriber` with the deployment's key is one."""

    def watch_head(self, thread_id: str, limit: int) -> AsyncGenerator[list[Message], None]:
        """A thread's newest finished messages, oldest first, whenever there is another."""

    def watch_preferences(self, user_id: str) -> AsyncGenerator[CurrentPreferences, None]:
        """The user's preferences whenever one changes."""


class LiveStore:
    """Reads what answering a message takes, and keeps it as far as it can be told to be current.

    What is kept is only ever used by proof, so no push needs to have arrived: a thread's turn comes
    when all its lower orders are finished, finished messages never change and orders have no gaps,
    so a head that holds every order asked for is the history; and preferences are those of the
    version that `begin` answered, or are read again. Whoever has no turn and no version reads.

    Args:
        store: what is read from.
        watcher: follows what is asked for again; None follows nothing.
        max_followed: how many threads, and how many users.
        idle_s: how long what nobody asks for is kept, in seconds.
    """

    def __init__(
        self,
        store: ReadStore,
        watcher: ContextWatcher | None = None,
        *,
        max_followed: int = 0,
        idle_s: float = IDLE_S,
    ) -> None:
        self._store = store
        self._heads: LiveQuery[tuple[str, int], list[Message]] = LiveQuery(
            None if watcher is None else partial(_watch_head, watcher),
            max_followed=max_followed,
            idle_s=idle_s,
        )
        self._preferences: LiveQuery[str, CurrentPreferences] = LiveQuery(
            None if watcher is None else watcher.watch_preferences,
            max_followed=max_followed,
            idle_s=idle_s,
        )

    async def history(self, thread_id: str, before_order: int, limit: int) -> list[Message]:
        """The newest finished messages below an order, oldest first."""
        key = (thread_id, limit)
        known = _before(self._heads.latest(key) or (), before_order, limit)
        count_lookup("heads", known is not None)
        if known is not None:
            return known
        read = await self._store.history(thread_id, before_order, limit)
        if read and _before(read, before_order, limit) is not None:
            self._heads.keep(key, read)
        return read

    async def preferences(self, user_id: str, version: int | None = None) -> dict[str, str]:
        """The user's preferences by key.

        Args:
            user_id: whose.
            version: the one that `begin` answered; without it they are read.
        """
        if version is None:
            return (await self._store.current_preferences(user_id)).by_key
        known = self._preferences.latest(user_id)
        current = known is not None and known.version == version
        count_lookup("preferences", current)
        if known is None or not current:
            known = await self._store.current_preferences(user_id)
            self._preferences.keep(user_id, known)
        return known.by_key

    async def summary(self, thread_id: str) -> ThreadSummary | None:
        """The thread's summary; it is read each time, by those models that are shown one."""
        return await self._store.summary(thread_id)

    async def aclose(self) -> None:
        """Follow nothing any more."""
        await self._heads.aclose()
        await self._preferences.aclose()


def _watch_head(
    watcher: ContextWatcher, key: tuple[str, int]
) -> AsyncGenerator[list[Message], None]:
    thread_id, limit = key
    return watcher.watch_head(thread_id, limit + _SPARE)


def _before(messages: Sequence[Message], before_order: int, limit: int) -> list[Message] | None:
    """The messages of the `limit` orders before one, None unless each is there."""
    by_order = {message.order: message for message in messages}
    wanted = range(max(0, before_order - limit), before_order)
    if any(order not in by_order for order in wanted):
        return None
    return [by_order[order] for order in wanted]
