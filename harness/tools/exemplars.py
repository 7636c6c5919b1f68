"""What was asked and which tool then served: it votes on later requests."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chromadb.api import ClientAPI

from harness.context.cache import ExpiringCache
from harness.context.embeddings import CachedEmbedder
from harness.events import MessageSent
from harness.telemetry.logs import get_logger
from harness.tools._exemplar_store import LABELLED, NOTHING, Exemplar, ExemplarStore, owner_of
from harness.tools._similarity import Pool
from harness.tools.votes import VoteProbe, Votes

KEPT = 50  # exemplars of one tool and user, the newest
CACHED_USERS = 128
CACHE_TTL_S = 900.0
FRESH_S = 300.0  # until what other processes have written is looked for
LOAD_WAIT_S = 1.0  # that a message waits for exemplars before it goes on without
DEBOUNCE_S = 1.0  # that loading anew waits for more exemplars
REST = 9.0  # times as long as a fit took, until the owner's next one: at most a tenth of a core
log = get_logger(__name__)


@dataclass
class _Learned:
    """An owner's exemplars in memory, and the probe of these and the labelled ones."""

    pool: Pool
    probe: VoteProbe | None
    loaded_at: float = field(default_factory=time.monotonic)


class Exemplars:
    """Requests that tools served: each user's own, and labelled ones for all users.

    A collection a user, so that no one's requests move another's selection. What votes is a copy
    in memory; it is loaded anew, and the probe fitted, in the background. Whatever fails there
    costs votes alone.
    """

    def __init__(
        self, client: ClientAPI, embedder: CachedEmbedder, debounce_s: float = DEBOUNCE_S
    ) -> None:
        """Use a Chroma client.

        Args:
            client: of a server, or embedded within one process.
            embedder: makes the vectors; another one's are kept apart.
            debounce_s: how long loading anew waits for more exemplars, in seconds.
        """
        self._store = ExemplarStore(client, embedder)
        self._embedder = embedder
        self._debounce_s = debounce_s
        self._learned: ExpiringCache[str, _Learned] = ExpiringCache(CACHED_USERS, CACHE_TTL_S)
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._fitting: dict[str, asyncio.Task[None]] = {}
        self._changed: set[str] = set()  # since their loading began
        self._one_fit = asyncio.Lock()

    async def learn(self, sent: MessageSent, tools: Sequence[str]) -> None:
        """Keep what a user asked for and which tools served; again changes nothing.

        Args:
            sent: the message, in the user's own words.
            tools: those whose calls succeeded.
        """
        if not tools or not sent.text.strip():
            return
        owner, text = owner_of(sent.user_id), sent.text
        kept = [
            Exemplar(f"{sent.message_key}:{tool}", text, tool, sent.sent_at, sent.thread_id)
            for tool in tools
        ]
        vectors = await self._embedder.aembed([text] * len(kept))
        await asyncio.to_thread(self._store.add, owner, kept, vectors)
        await asyncio.to_thread(self._store.keep_newest, owner, tools, KEPT)
        if self._learned.get(owner) is not None:
            self._changed.add(owner)
            self._load(owner, self._debounce_s)

    async def label(self, requests: Sequence[tuple[str, str]]) -> None:
        """Make these the labelled requests of the deployment, which vote for all users.

        Args:
            requests: text and tool of each; those labelled before and not among them go.
        """
        kept = [Exemplar(_digest(text, tool), text, tool) for text, tool in dict.fromkeys(requests)]
        vectors = await self._embedder.aembed([each.text for each in kept])
        await asyncio.to_thread(self._store.add, LABELLED, kept, vectors)
        await asyncio.to_thread(self._store.keep_only, LABELLED, {each.id for each in kept})
        self._learned.drop(LABELLED)

    async def votes(self, user_id: str) -> Votes:
        """What the labelled requests and the user's own say; nothing where they can't be had."""
        shared, own = await asyncio.gather(self._of(LABELLED), self._of(owner_of(user_id)))
        pools = tuple(each.pool for each in (shared, own) if each is not None)
        probes = [each.probe for each in (own, shared) if each is not None]
        return Votes(pools, next((probe for probe in probes if probe is not None), None))

    async def forget_user(self, user_id: str) -> None:
        """Remove all that was learned of a user."""
        owner = owner_of(user_id)
        await self._stop(owner)
        await asyncio.to_thread(self._store.delete, owner)
        self._learned.drop(owner)

    async def forget_thread(self, user_id: str, thread_id: str) -> None:
        """Remove what was learned in a thread of a user's."""
        owner = owner_of(user_id)
        await self._stop(owner)
        await asyncio.to_thread(self._store.delete_thread, owner, thread_id)
        self._learned.drop(owner)

    async def settle(self) -> None:
        """Wait until nothing is loaded or fitted any more."""
        while running := [*self._loading.values(), *self._fitting.values()]:
            await asyncio.wait(running)

    async def aclose(self) -> None:
        """Give up what is being loaded or fitted."""
        for owner in {*self._loading, *self._fitting}:
            await self._stop(owner)

    async def _of(self, owner: str) -> _Learned | None:
        learned = self._learned.get(owner)
        if learned is None:
            await asyncio.wait([self._load(owner)], timeout=LOAD_WAIT_S)
            return self._learned.get(owner)
        if time.monotonic() - learned.loaded_at > FRESH_S:
            self._load(owner)
        return learned

    def _load(self, owner: str, delay_s: float = 0) -> "asyncio.Task[None]":
        """Load an owner's exemplars, unless that is about to happen; a fit follows."""
        running = self._loading.get(owner)
        if running is None:
            running = asyncio.create_task(self._loaded(owner, delay_s))
            self._loading[owner] = running
        return running

    async def _loaded(self, owner: str, delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            self._changed.discard(owner)
            before = self._learned.get(owner)
            try:
                pool = await asyncio.to_thread(self._store.pool, owner)
            except Exception as error:  # selection goes on with what it had
                log.warning("exemplars not loaded", error=repr(error))
                pool = before.pool if before else NOTHING
            self._learned.put(owner, _Learned(pool, before.probe if before else None))
        finally:
            self._loading.pop(owner, None)
        if owner not in self._fitting:
            self._fitting[owner] = asyncio.create_task(self._fitted(owner))
        if owner in self._changed:
            self._load(owner, self._debounce_s)

    async def _fitted(self, owner: str) -> None:
        fitted = None
        try:
            while (learned := self._learned.get(owner)) is not fitted and learned is not None:
                shared = self._learned.get(LABELLED)
                others = [] if shared is None or shared is learned else [shared.pool]
                # A user without exemplars needs no probe beside the one of the labelled requests.
                pools = [learned.pool, *others] if learned.pool.tools else []
                async with self._one_fit:
                    started = time.monotonic()
                    learned.probe = await asyncio.to_thread(VoteProbe.fit, pools)
                    took_s = time.monotonic() - started
                fitted = learned
                await asyncio.sleep(REST * took_s)
        except Exception as error:  # the exemplars vote without it
            log.warning("no probe fitted", error=repr(error))
        finally:
            self._fitting.pop(owner, None)

    async def _stop(self, owner: str) -> None:
        for running in (self._loading.pop(owner, None), self._fitting.pop(owner, None)):
            if running is not None:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


async def votes_of(requests: Sequence[tuple[str, str]], embedder: CachedEmbedder) -> Votes:
    """The votes of requests that are kept nowhere, as an evaluation needs them.

    Args:
        requests: text and tool of each.
        embedder: makes the vectors.
    """
    vectors = await embedder.aembed([text for text, _ in requests])
    pool = Pool([tool for _, tool in requests], vectors)
    return Votes((pool,), await asyncio.to_thread(VoteProbe.fit, [pool]))


def _digest(text: str, tool: str) -> str:
    return hashlib.sha256(f"{tool}\0{text}".encode()).hexdigest()
