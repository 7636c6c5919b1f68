"""How long each step may take and how often it is tried.

Inngest counts retries for a whole function: the function gets the largest number that a step wants,
and each step stops at its own.
"""

from dataclasses import dataclass

from harness.tools.registry import MOST_ATTEMPTS


@dataclass(frozen=True)
class Policy:
    """A step's bounds.

    Attributes:
        timeout_s: of one try, in seconds.
        attempts: tries altogether.
    """

    timeout_s: float
    attempts: int


# What must be kept survives an outage of Convex, or of Chroma, of some hours (by Inngest's table of
# backoffs).
PERSIST = Policy(timeout_s=30, attempts=15)
INDEX = Policy(timeout_s=60, attempts=15)
GATHER = Policy(timeout_s=30, attempts=4)
SELECT = Policy(timeout_s=30, attempts=3)
SUMMARISE = Policy(timeout_s=120, attempts=3)
LOOKUP = Policy(timeout_s=30, attempts=8)

# A model with another one behind it is given up sooner.
MODEL_TIMEOUT_S = 600
MODEL = Policy(MODEL_TIMEOUT_S, attempts=5)
MODEL_WITH_FALLBACK = Policy(MODEL_TIMEOUT_S, attempts=2)

# At least what a tool's own retry may want: a try that Convex or a crash cost counts as well.
TOOL_ATTEMPTS = MOST_ATTEMPTS
TOOL_MARGIN_S = 30  # beside the tool's own timeout: what Convex needs around it

RETRIES = PERSIST.attempts - 1


def tool_policy(tool_timeout_s: float) -> Policy:
    """The bounds of a step that runs a tool with this timeout of its own."""
    return Policy(tool_timeout_s + TOOL_MARGIN_S, TOOL_ATTEMPTS)
