"""How values of a task's own options are checked."""

from collections.abc import Callable
from typing import Any

from harness.errors import HarnessError

Option = int | str
Check = Callable[[Any, str], Option]  # given a value and where it stands


def count(value: Any, place: str) -> Option:
    """A number of things.

    Raises:
        HarnessError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise HarnessError(f"{place} is {value!r}, not a number from 0 on")
    return value


def one_of(*names: str) -> Check:
    """A check for one of some names."""

    def named(value: Any, place: str) -> Option:
        if value not in names:
            raise HarnessError(f"{place} is {value!r}", f"Use {' or '.join(names)}.")
        return str(value)

    return named
