"""Which tools to offer for a message, and whether any at all."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from harness.context.embeddings import CachedEmbedder
from harness.models import Selection, ToolScore
from harness.telemetry.logs import get_logger
from harness.tools import _probe
from harness.tools._clauses import Parts, goes_on, parts_of
from harness.tools._odds import Catalogue, SelectionWeights, load_weights
from harness.tools._similarity import SimilarityIndex
from harness.tools.registry import ToolSpec
from harness.tools.votes import Votes

Floats = NDArray[np.float32]
# Probability that some tool serves better than none, from which on tools are offered. Below even:
# a tool offered in vain costs tokens, one withheld the answer. On the own set's tune split .67 of
# the right tools are offered instead of .62, and nothing to .55 of what needs none instead of .58.
NEEDED_FROM = 0.4
MARGIN = 2.0  # log-odds behind the best; a tool further behind is not offered
MOST_SCORES = 20  # that a selection reports
EARLIER = 1.0  # log-odds that the message before counts less, where a message goes on from it
PREPARE_WAIT_S = 10.0  # for tools that have yet to be embedded; some hundreds take less
log = get_logger(__name__)


class ToolSelector:
    """Scores tools for a message: by a classifier those it knows, by similarity the others."""

    def __init__(
        self,
        embedder: CachedEmbedder,
        specs: Sequence[ToolSpec],
        *,
        probe: _probe.Probe | None = None,
        weights: SelectionWeights | None = None,
    ) -> None:
        """Select among tools.

        Args:
            embedder: makes the vectors.
            specs: of the tools.
            probe: another classifier than the packaged one.
            weights: others than the packaged ones.
        """
        self._embedder = embedder
        self._specs = list(specs)
        self._probe = probe or _probe.load()
        self._weights = weights or load_weights()
        self._catalogue: Catalogue | None = None
        self._prepared: list[ToolSpec] | None = None
        self._preparing: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        """Begin to embed what is compared with, so that the first message need not wait for it."""
        if self._preparing is None or self._preparing.done():
            self._preparing = asyncio.create_task(self._prepare(self._specs), name="tools")
        return self._preparing

    async def prepare(self) -> None:
        """Embed what is compared with; done at the first selection otherwise."""
        while self._prepared is not self._specs:
            # Whoever waits may give up; the work goes on for the others.
            await asyncio.shield(self.start())

    async def aclose(self) -> None:
        """Give up what is being embedded."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait([self._preparing])

    async def update(self, specs: Sequence[ToolSpec]) -> None:
        """Select among other tools from now on; only what is new of them is embedded.

        Until they are ready, selections are made among those before.

        Args:
            specs: of all the tools there are now.
        """
        self._specs = list(specs)
        await self.prepare()

    async def select(
        self, text: str, k: int, *, previous: str | None = None, votes: Votes | None = None
    ) -> Selection:
        """The tools to offer for a message.

        Args:
            text: the message.
            k: at most so many.
            previous: what its writer said before it in the thread.
            votes: what was served before says.
        """
        if not self._specs or not text.strip():
            return Selection(needed=False, why="nothing to choose from")
        catalogue = await self._ready()
        if catalogue is None:
            return Selection(needed=False, why="the tools are still being prepared")
        parts = parts_of(text)
        odds = await self._judge(catalogue, parts, votes or Votes())
        ranks, chances = rank(odds, parts), _chances(odds, self._weights.need)
        needed = float(chances[: parts.sentences].max())
        if previous and goes_on(text):
            earlier = parts_of(previous)
            before = await self._judge(catalogue, earlier, votes or Votes()) - EARLIER
            ranks = np.maximum(ranks, rank(before, earlier))
            chances_before = _chances(before, self._weights.need)
            needed = max(needed, float(chances_before[: earlier.sentences].max()))
        asking = chances[parts.sentences :] >= NEEDED_FROM
        asked = odds[parts.sentences :][asking].argmax(1)
        return _choose(catalogue.names, ranks, needed, set(asked.tolist()), k)

    async def _prepare(self, specs: list[ToolSpec]) -> None:
        known = self._catalogue.index.vectors if self._catalogue else {}
        index = await SimilarityIndex.of(specs, self._embedder, known)
        usable = self._embedder.name == self._probe.embedder
        self._catalogue = Catalogue(specs, index, self._probe, usable=usable)
        self._prepared = specs

    async def _ready(self) -> Catalogue | None:
        """The catalogue to select from; waited for only where there is none."""
        if self._catalogue is None:
            try:
                async with asyncio.timeout(PREPARE_WAIT_S):
                    await self.prepare()
            except TimeoutError:
                log.warning("tools are still being embedded", tools=len(self._specs))
        return self._catalogue

    async def _judge(self, catalogue: Catalogue, parts: Parts, votes: Votes) -> Floats:
        vectors = await self._embedder.aembed(parts.texts)
        return catalogue.log_odds(parts, vectors, votes, self._weights)


def rank(odds: Floats, parts: Parts) -> Floats:
    """Each tool's log-odds for a whole message.

    Measured on Seal-Tools and MetaTool: what a tool has for the whole, less what it lacks to the
    best one of the clause that suits it best. A maximum over clauses favours accidents of them.

    Args:
        odds: for each part, float32 [parts, tools].
        parts: of the message.
    """
    whole = odds[: parts.sentences].max(0)
    clauses = odds[parts.sentences :]
    if not len(clauses):
        return np.asarray(whole)
    return np.asarray(whole + (clauses - clauses.max(1, keepdims=True)).max(0))


def _chances(odds: Floats, need: float) -> Floats:
    """The probability that any tool serves better than none, for each part."""
    return np.asarray(expit(need * logsumexp(odds, axis=1)))


def _choose(names: list[str], ranks: Floats, chance: float, asked: set[int], k: int) -> Selection:
    order = np.argsort(-ranks, kind="stable")
    best = ranks[order[0]]
    weight = np.exp(ranks - best)
    share = chance * weight / weight.sum()
    needed = chance >= NEEDED_FROM
    close = [int(i) for i in order[:k] if ranks[i] >= best - MARGIN]
    # A clause's own tool is offered however far it is behind those of the others.
    offered = list(dict.fromkeys([close[0], *sorted(asked, key=lambda i: -ranks[i]), *close]))[:k]
    first = names[order[0]]
    verdict = "offered" if needed else "not offered"

    def scored(places: Sequence[int]) -> list[ToolScore]:
        return [ToolScore(name=names[i], score=round(float(share[i]), 4)) for i in places]

    return Selection(
        needed=needed,
        candidates=scored(sorted(offered, key=lambda i: -ranks[i])) if needed else [],
        scores=scored(order[:MOST_SCORES].tolist()),
        why=f"some tool serves with probability {chance:.2f}, and it is {first} with "
        f"{share[order[0]]:.2f}: {verdict}",
    )
