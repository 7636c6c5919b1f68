"""Places where a test holds a running job, to end a process exactly there.

Without `HARNESS_BARRIERS` they cost one look at a variable. With it, a file `NAME.armed` in that
folder makes the job write `NAME.reached` and wait until `NAME.release` exists or `NAME.armed` is
gone. A step's name may stand in it alone or behind a message's key (`KEY.NAME.armed`).
"""

import asyncio
import os
from pathlib import Path

VARIABLE = "HARNESS_BARRIERS"
_LOOK_EVERY_S = 0.01


async def barrier(name: str, key: str = "") -> None:
    """Wait here if a test armed this place.

    Args:
        name: such as `model-0:before` or `persist-response:after`.
        key: of the message whose run is here.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return
    for candidate in (f"{key}.{name}", name):
        if _exists(folder, candidate, "armed"):
            _write(folder, candidate, "reached")
            # Another process decides, by a file: there is nothing to be woken by.
            while _exists(folder, candidate, "armed") and not _exists(folder, candidate, "release"):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_EVERY_S)


def _exists(folder: str, name: str, state: str) -> bool:
    return Path(folder, f"{name}.{state}").exists()


def _write(folder: str, name: str, state: str) -> None:
    Path(folder, f"{name}.{state}").touch()
