"""Which process is killed when: random instants that a seed repeats."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.local.part import Part

EARLY_SHARE = 0.2  # of the kills, which do not wait until the last one's victims are up again
LONGEST_UP_S = 0.8
LONGEST_EARLY_S = 0.6


@dataclass(frozen=True)
class Kill:
    """One planned kill.

    Attributes:
        victims: the names of what is killed at once.
        early: whether the kill may meet a process that is still starting.
        after_s: seconds after the last kill where it is early, else after all is up.
    """

    victims: tuple[str, ...]
    early: bool
    after_s: float


@dataclass(frozen=True)
class Killed:
    """A kill that was done, in seconds since the epoch.

    Attributes:
        at: when the signal was sent.
        restarted_at: when the victims were started again.
    """

    at: float
    restarted_at: float


def plan(count: int, seed: int, victims: Sequence[tuple[str, ...]]) -> Iterator[Kill]:
    """The kills of a run.

    Args:
        count: how many.
        seed: the same one plans the same kills.
        victims: which are killed at once, each as likely as the others.
    """
    chooser = random.Random(seed)
    for _ in range(count):
        early = chooser.random() < EARLY_SHARE
        longest = LONGEST_EARLY_S if early else LONGEST_UP_S
        yield Kill(chooser.choice(victims), early, chooser.uniform(0, longest))


class Victim:
    """A process that is killed and started again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._starting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to start it."""
        self._starting = asyncio.create_task(self.part.start())

    async def ready(self) -> None:
        """Wait until it is up.

        Raises:
            HarnessError: it did not start.
        """
        if self._starting:
            await asyncio.shield(self._starting)

    async def kill(self) -> None:
        """Kill it, whether it is up or still starting."""
        await self.part.kill()
        if self._starting:
            with suppress(HarnessError):
                await self._starting
            self._starting = None


async def carry_out(
    kills: Iterator[Kill], victims: Mapping[str, Victim], killed: Callable[[], None]
) -> list[Killed]:
    """Kill as planned; all is up when this returns.

    Args:
        victims: by name.
        killed: called after each kill.

    Raises:
        HarnessError: a process did not start again.
    """
    done = []
    for kill in kills:
        if not kill.early:
            await _all_up(victims)
        await asyncio.sleep(kill.after_s)
        at = time.time()
        await asyncio.gather(*(victims[name].kill() for name in kill.victims))
        done.append(Killed(at, time.time()))
        for name in kill.victims:
            victims[name].start()
        killed()
    await _all_up(victims)
    return done


def recoveries_ms(signs: Iterable[float], kills: Sequence[Killed]) -> list[float]:
    """From each kill to the first sign of life after the restart.

    Kills whose victims gave no sign before the next one are left out.

    Args:
        signs: when there was one, in seconds since the epoch.
        kills: in their order.
    """
    times = iter(sorted(signs))
    sign = next(times, None)
    found = []
    ends = [kill.at for kill in kills[1:]] + [float("inf")]
    for kill, end in zip(kills, ends, strict=True):
        while sign is not None and sign < kill.restarted_at:
            sign = next(times, None)
        if sign is not None and sign < end:
            found.append((sign - kill.at) * 1000)
    return found


async def _all_up(victims: Mapping[str, Victim]) -> None:
    await asyncio.gather(*(victim.ready() for victim in victims.values()))
