"""Answers of Convex's queries, kept current by what it pushes."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from harness.context.cache import ExpiringCache
from harness.store.errors import StoreError
from harness.telemetry.logs import get_logger

MAX_READ = 1024  # answers kept of keys that are not followed
log = get_logger(__name__)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Watch: TypeAlias = Callable[[Key], AsyncGenerator[Value, None]]


class LiveQuery(Generic[Key, Value]):
    """The latest known answer of one query for each of many keys.

    A key is followed from the second time its answer had to be read: most threads and users are met
    once, and a watch costs Convex more than a read. It is let go when nobody has asked for a while,
    when others are asked for more often, and when Convex says that there is no such thing any more.

    What is known may be late, as a push takes its time and a connection may be lost: whoever asks
    must be able to tell by the answer itself whether it is of now.

    Args:
        watch: yields a key's answer, now and whenever it differs; None keeps only what was read.
        max_followed: how many keys are followed at once.
        idle_s: how long an answer that nobody asks for is kept, in seconds.
    """

    def __init__(
        self,
        watch: Watch[Key, Value] | None,
        *,
        max_followed: int,
        idle_s: float,
    ) -> None:
        self._watch = watch
        self._max_followed = max_followed
        self._idle_s = idle_s
        self._read: ExpiringCache[Key, Value] = ExpiringCache(MAX_READ, idle_s)
        self._followed: OrderedDict[Key, _Followed[Value]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def latest(self, key: Key) -> Value | None:
        """What is known of a key, at once."""
        followed = self._followed.get(key)
        if followed is None:
            return self._read.get(key)
        self._followed.move_to_end(key)
        self._expire_later(key, followed)
        return followed.value

    def keep(self, key: Key, value: Value) -> None:
        """Keep what had to be read, and follow a key that this happens to again."""
        if key in self._followed:
            self._followed[key].value = value
            return
        again = self._read.get(key) is not None
        self._read.put(key, value)
        if again and self._watch is not None and self._max_followed > 0:
            self._follow(self._watch, key, value)

    def drop(self, key: Key) -> None:
        """Forget what is known of a key and follow it no more."""
        self._read.drop(key)
        followed = self._followed.pop(key, None)
        if followed is not None:
            followed.end()

    async def aclose(self) -> None:
        """Follow nothing any more."""
        for key in list(self._followed):
            self.drop(key)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _follow(self, watch: Watch[Key, Value], key: Key, value: Value) -> None:
        if len(self._followed) == self._max_followed:
            self.drop(next(iter(self._followed)))
        followed = self._followed[key] = _Followed(value)
        self._expire_later(key, followed)
        task = asyncio.create_task(self._take(watch, key, followed), name="live-query")
        followed.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _expire_later(self, key: Key, followed: "_Followed[Value]") -> None:
        if followed.expiry is not None:
            followed.expiry.cancel()
        loop = asyncio.get_running_loop()
        followed.expiry = loop.call_later(self._idle_s, self.drop, key)

    async def _take(self, watch: Watch[Key, Value], key: Key, followed: "_Followed[Value]") -> None:
        try:
            async with aclosing(watch(key)) as answers:
                async for answer in answers:
                    followed.value = answer
        except StoreError as error:
            log.info("not followed any more", error=str(error))
        finally:
            if self._followed.get(key) is followed:
                self.drop(key)


@dataclass(eq=False)
class _Followed(Generic[Value]):
    """A key that is followed, with what was read or pushed last."""

    value: Value
    task: asyncio.Task[None] | None = None
    expiry: asyncio.TimerHandle | None = None

    def end(self) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
