"""A numpy array that grows at its end."""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)
_FIRST_ROOM = 64


class Column(Generic[Kind]):
    """One value a document, appended one at a time and read as an array at once."""

    def __init__(self, kind: type[Kind]) -> None:
        self._room: NDArray[Kind] = np.zeros(_FIRST_ROOM, kind)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, value: Any) -> None:
        """Add the next document's value."""
        if self._length == len(self._room):
            self._room = np.concatenate([self._room, np.zeros_like(self._room)])
        self._room[self._length] = value
        self._length += 1

    @property
    def values(self) -> NDArray[Kind]:
        """The values so far; a view, which a later change of a value shows in."""
        return self._room[: self._length]
