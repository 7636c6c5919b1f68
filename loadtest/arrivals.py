"""When messages arrive: an open-loop schedule, fixed before the run begins."""

import random
from typing import Literal

Arrivals = Literal["poisson", "constant"]


def schedule(rate: float, duration_s: float, arrivals: Arrivals, seed: int) -> list[float]:
    """The arrival times of one run.

    An open loop sends on time however slow the answers are, so that a slow system is seen as slow
    and does not slow its own load down (Schroeder et al., "Open Versus Closed", NSDI 2006).

    Args:
        rate: mean arrivals a second.
        duration_s: length of the run in seconds.
        arrivals: `poisson` (exponential gaps) or `constant` (equal gaps).
        seed: makes a Poisson schedule repeatable.

    Returns:
        Seconds from the start, ascending, all below `duration_s`.

    Raises:
        ValueError: for a rate or duration that is not positive.
    """
    if rate <= 0 or duration_s <= 0:
        raise ValueError(f"rate {rate} and duration {duration_s} must both be above zero")
    if arrivals == "constant":
        return [i / rate for i in range(int(rate * duration_s))]
    gaps = random.Random(seed)
    times: list[float] = []
    at = gaps.expovariate(rate)
    while at < duration_s:
        times.append(at)
        at += gaps.expovariate(rate)
    return times
