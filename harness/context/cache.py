"""A cache with a bound and an expiry that several threads may use."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

from cachetools import TTLCache

from harness.telemetry.metrics import count_lookup

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ExpiringCache(Generic[Key, Value]):
    """Keeps the values used last; counts what it found and what it did not.

    Args:
        max_entries: how many it keeps.
        ttl_s: how long it keeps one, in seconds.
        name: of the cache in the metrics; without one it is not in them.
    """

    def __init__(self, max_entries: int, ttl_s: float, name: str | None = None) -> None:
        self._name = name
        self._entries: TTLCache[Key, Value] = TTLCache(max_entries, ttl_s)
        self._lock = Lock()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of a key, or None when there is none or it has expired."""
        with self._lock:
            value = self._entries.get(key)
            self._count(value is not None)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, over an older one of its key."""
        with self._lock:
            self._entries[key] = value

    def get_or_put(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key, made if there is none; `make` must be quick, as all others wait."""
        with self._lock:
            value = self._entries.get(key)
            self._count(value is not None)
            if value is None:
                value = self._entries[key] = make()
            return value

    def drop(self, key: Key) -> None:
        """Forget a key, if it is there."""
        with self._lock:
            self._entries.pop(key, None)

    def _count(self, hit: bool) -> None:
        self.hits += hit
        self.misses += not hit
        if self._name is not None:
            count_lookup(self._name, hit)
