"""The weights that turn a message's signals into one score, and fitting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.context.fusion import Scores
from harness.context.signals import Recipe
from harness.errors import HarnessError

PACKAGED = "ranker.json"
SIGNALS = ("lexical", "dense", "session", "thread", "length", "question", "timed")
# Set by hand; a fit starts here and leaves as far as its data argue.
BY_HAND = {"lexical": 1.0, "dense": 0.75, "session": 0.4}
# Of a weight's squared distance from its start, against one query's loss. How far to trust words
# against meaning depends on who asks, and some hundred questions by few hands do not tell: fitted
# freely on conversations whose questions avoid their answers' words, words lost two thirds of
# their weight, and 0.1 of recall on conversations of other people.
STIFF = 1000.0
LOOSE = 10.0  # for what starts at nothing

Floats = NDArray[np.float64]


class Ranker(BaseModel):
    """How signals are worked out and weighed, and what on; kept as a versioned file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    weights: dict[str, float]
    recipe: Recipe = Recipe()
    fitted_on: str = "set by hand"
    queries: int = 0


@dataclass(frozen=True)
class Judged:
    """A query's signals, float32 [messages] each, and what serves it, bool [messages]."""

    signals: dict[str, Scores]
    relevant: NDArray[np.bool_]


def load_ranker(path: Path) -> Ranker:
    """Read a ranker's file.

    Raises:
        HarnessError: it cannot be read, or holds no weights of signals that there are.
    """
    remedy = "Write one with `harness fit retrieval`, or unset HARNESS_RANKER."
    try:
        ranker = Ranker.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise HarnessError(f"the ranker {path} cannot be read: {error.strerror}", remedy) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise HarnessError(f"the ranker {path}: {where}: {first['msg']}", remedy) from None
    unknown = sorted(set(ranker.weights) - set(SIGNALS))
    if unknown:
        raise HarnessError(f"the ranker {path} weighs {', '.join(unknown)}: no such signal", remedy)
    return ranker


@lru_cache(maxsize=1)
def packaged_ranker() -> Ranker:
    """The ranker that comes with the harness, fitted on the project's own conversations."""
    return load_ranker(Path(str(resources.files("harness.context").joinpath(PACKAGED))))


def fit_ranker(judged: Sequence[Judged], fitted_on: str) -> Ranker:
    """Fit the weights to what served queries: a listwise softmax, as ListNet's (Cao et al. 2007).

    The weights start from those set by hand and are drawn back to them, so that few judgements
    move them little; a common scale, which changes no ranking, is free.

    Args:
        judged: queries with what served them; those that nothing served teach nothing.
        fitted_on: named in the result.

    Raises:
        HarnessError: no query has a relevant message.
    """
    taught = [each for each in judged if each.relevant.any()]
    if not taught:
        raise HarnessError("there is no query with a message that serves it", "Judge a few more.")
    lists = _Lists.of(taught)
    hand = np.array([BY_HAND.get(name, 0.0) for name in SIGNALS])
    penalty = np.where(hand > 0, STIFF, LOOSE) / len(taught)

    def loss(free: Floats) -> tuple[float, Floats]:
        scale, moved = np.exp(free[0]), free[1:]
        value, gradient = lists.loss(scale * (hand + moved))
        value += float(penalty @ moved**2)
        by_moved = scale * gradient + 2 * penalty * moved
        return value, np.concatenate([[scale * float(gradient @ (hand + moved))], by_moved])

    from scipy.optimize import minimize  # slow to import, and only a fit needs it

    found = minimize(loss, np.zeros(len(SIGNALS) + 1), jac=True, method="L-BFGS-B")
    weights = hand + found.x[1:]
    return Ranker(
        weights={name: round(float(w), 4) for name, w in zip(SIGNALS, weights, strict=True)},
        fitted_on=fitted_on,
        queries=len(taught),
    )


@dataclass(frozen=True)
class _Lists:
    """All queries' messages one after another; `starts[i]` is where query i's begin."""

    table: Floats  # [messages, signals]
    starts: NDArray[np.int64]
    wanted: Floats  # each query's relevant messages share 1

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> "_Lists":
        tables = [np.stack([each.signals[name] for name in SIGNALS], axis=1) for each in judged]
        wanted = [each.relevant / each.relevant.sum() for each in judged]
        lengths = [len(table) for table in tables]
        starts = np.cumsum([0, *lengths[:-1]])
        return cls(np.concatenate(tables).astype(np.float64), starts, np.concatenate(wanted))

    def loss(self, weights: Floats) -> tuple[float, Floats]:
        """Mean cross entropy of the queries' softmax, and its gradient by the weights."""
        scores = self.table @ weights
        lengths = np.diff(self.starts, append=len(scores))
        scores -= np.repeat(np.maximum.reduceat(scores, self.starts), lengths)
        shares = np.exp(scores)
        sums = np.add.reduceat(shares, self.starts)
        shares /= np.repeat(sums, lengths)
        value = float(np.log(sums).sum() - self.wanted @ scores)
        gradient = self.table.T @ (shares - self.wanted)
        return value / len(sums), gradient / len(sums)
