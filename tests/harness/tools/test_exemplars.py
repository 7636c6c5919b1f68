import asyncio
import threading
import uuid

import numpy as np
import pytest

from harness.context.embeddings import CachedEmbedder
from harness.events import MessageSent
from harness.tools import exemplars as module
from harness.tools.exemplars import KEPT, Exemplars
from harness.tools.registry import ToolSpec
from harness.tools.selection import ToolSelector
from harness.tools.votes import LEAST, VoteProbe, Votes

# Tools whose descriptions say nothing: only what was learned tells them apart.
BLUE = ToolSpec(name="zx1", description="Runs procedure one.", parameters={})
GREEN = ToolSpec(name="zx2", description="Runs procedure two.", parameters={})
PLANTS = [
    "water the tomatoes",
    "the roses need water",
    "give the lawn some water",
    "water the beds",
]
BILLS = ["pay the gas bill", "settle the invoice", "pay what we owe the baker", "pay the rent"]


class Renamed:
    """Vectors of the packaged model under a name of the test's own, so none shares a collection."""

    def __init__(self, inner: CachedEmbedder) -> None:
        self.name = f"exemplars-{uuid.uuid4().hex[:8]}"
        self.dimensions = inner.dimensions
        self.embed = inner.embed


@pytest.fixture
def embedder(minilm):
    cached = CachedEmbedder(Renamed(minilm))
    yield cached
    cached.close()


@pytest.fixture
async def exemplars(ephemeral_chroma, embedder):
    kept = Exemplars(ephemeral_chroma, embedder, debounce_s=0)
    yield kept
    await kept.aclose()


@pytest.fixture
async def other_process(ephemeral_chroma, embedder):
    """Exemplars of the same Chroma that have nothing in memory."""
    kept = Exemplars(ephemeral_chroma, embedder)
    yield kept
    await kept.aclose()


@pytest.fixture
def selector(embedder):
    return ToolSelector(embedder, [BLUE, GREEN])


def sent(text: str, user: str = "ada", thread: str = "t1", at: int = 0) -> MessageSent:
    return MessageSent(
        message_key=uuid.uuid4().hex,
        thread_id=thread,
        user_id=user,
        text=text,
        model="simulated",
        sent_at=at,
    )


async def teach(exemplars: Exemplars, user: str = "ada", thread: str = "t1") -> None:
    for tool, requests in (("zx1", PLANTS), ("zx2", BILLS)):
        for request in requests:
            await exemplars.learn(sent(request, user, thread), [tool])


async def first(selector: ToolSelector, exemplars: Exemplars, text: str, user: str) -> list[str]:
    selection = await selector.select(text, 2, votes=await exemplars.votes(user))
    return [each.name for each in selection.scores]


async def kept(exemplars: Exemplars, user: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for pool in (await exemplars.votes(user)).pools:
        found |= dict(zip(pool.tools, pool.counts.astype(int).tolist(), strict=True))
    return found


async def test_what_served_before_is_chosen_for_the_like(exemplars, selector):
    await teach(exemplars)
    assert (await first(selector, exemplars, "please water the garden", "ada"))[0] == "zx1"
    assert (await first(selector, exemplars, "pay the water bill", "ada"))[0] == "zx2"


async def test_another_users_history_never_moves_mine(exemplars, other_process, selector):
    text = "please water the garden"
    before = await selector.select(text, 2, votes=await exemplars.votes("ada"))
    await teach(exemplars, user="eve")
    await exemplars.settle()
    after = await selector.select(text, 2, votes=await exemplars.votes("ada"))
    elsewhere = await selector.select(text, 2, votes=await other_process.votes("ada"))
    assert before == after == elsewhere
    assert await kept(other_process, "ada") == {}


async def test_learning_the_same_message_again_changes_nothing(exemplars):
    message = sent("water the tomatoes")
    for _ in range(3):
        await exemplars.learn(message, ["zx1"])
    assert await kept(exemplars, "ada") == {"zx1": 1}


async def test_what_is_learned_reaches_votes_that_were_taken_before(exemplars):
    assert await kept(exemplars, "ada") == {}
    await exemplars.learn(sent("water the tomatoes"), ["zx1"])
    await exemplars.settle()
    assert await kept(exemplars, "ada") == {"zx1": 1}


async def test_only_the_newest_are_kept(exemplars):
    for number in range(KEPT + 3):
        await exemplars.learn(sent(f"water bed {number}", at=number), ["zx1"])
    collection = exemplars._store._open(module.owner_of("ada"))
    texts = set(collection.get(include=["documents"])["documents"])
    assert texts == {f"water bed {number}" for number in range(3, KEPT + 3)}


async def test_what_was_learned_goes_with_its_user(exemplars):
    await teach(exemplars)
    await teach(exemplars, user="eve")
    await exemplars.forget_user("ada")
    assert await kept(exemplars, "ada") == {}
    assert await kept(exemplars, "eve") == {"zx1": 4, "zx2": 4}


async def test_what_was_learned_goes_with_its_thread(exemplars):
    await teach(exemplars, thread="t1")
    await exemplars.learn(sent("water the ferns", thread="t2"), ["zx1"])
    await exemplars.forget_thread("ada", "t1")
    assert await kept(exemplars, "ada") == {"zx1": 1}


async def test_forgetting_what_is_not_there_is_no_trouble(exemplars):
    await exemplars.forget_user("nobody")
    await exemplars.forget_thread("nobody", "t1")


async def test_labelled_requests_vote_for_everyone_until_others_take_their_place(
    exemplars, selector
):
    await exemplars.label([*((text, "zx1") for text in PLANTS), *((text, "zx2") for text in BILLS)])
    assert (await first(selector, exemplars, "please water the garden", "eve"))[0] == "zx1"
    await exemplars.label([("water the tomatoes", "zx2")])
    assert await kept(exemplars, "eve") == {"zx2": 1}


async def test_a_chroma_that_fails_costs_the_votes_alone(exemplars, selector, monkeypatch):
    def broken(*_):
        raise RuntimeError("Chroma is down")

    monkeypatch.setattr(exemplars._store, "pool", broken)
    assert (await selector.select("water", 2, votes=await exemplars.votes("ada"))).scores


async def test_a_fit_that_fails_costs_the_probe_alone(exemplars, monkeypatch):
    def broken(*_):
        raise ValueError("singular")

    monkeypatch.setattr(VoteProbe, "fit", broken)
    await teach(exemplars)
    await exemplars.votes("ada")
    await exemplars.settle()
    votes = await exemplars.votes("ada")
    assert votes.probe is None
    assert sum(len(pool.tools) for pool in votes.pools) == 2


async def test_fits_of_several_users_take_turns(exemplars, monkeypatch):
    running, most = threading.Semaphore(1), []
    fit = VoteProbe.fit

    def watched(pools):
        alone = running.acquire(blocking=False)
        most.append(alone)
        try:
            return fit(pools)
        finally:
            if alone:
                running.release()

    monkeypatch.setattr(VoteProbe, "fit", watched)
    for user in ("ada", "eve", "bob"):
        await teach(exemplars, user)
    await asyncio.gather(*(exemplars.votes(user) for user in ("ada", "eve", "bob")))
    await exemplars.settle()
    assert len(most) >= 3
    assert all(most)


async def test_what_is_learned_after_a_fit_votes_before_the_next_one(exemplars, monkeypatch):
    fits, fitted = [], threading.Event()

    def counted(pools):
        fits.append(sum(len(pool.tools) for pool in pools))
        fitted.set()

    await teach(exemplars)
    await exemplars.votes("ada")
    await exemplars.settle()
    monkeypatch.setattr(VoteProbe, "fit", counted)
    monkeypatch.setattr(module, "REST", 1e9)
    for number, tool in enumerate(("zx3", "zx4", "zx5")):
        await exemplars.learn(sent(f"sweep floor {number}", at=number), [tool])
        while exemplars._loading:
            await asyncio.wait(list(exemplars._loading.values()))
        await asyncio.to_thread(fitted.wait)
    assert (await kept(exemplars, "ada"))["zx5"] == 1
    assert fits == [3]


async def test_the_probe_follows_in_the_background(exemplars):
    await teach(exemplars)
    await exemplars.votes("ada")
    await exemplars.settle()
    votes = await exemplars.votes("ada")
    vectors = await exemplars._embedder.aembed(["water the hedge", "pay the plumber"])
    odds = votes.probe.log_odds(vectors)
    assert [votes.probe.tools[i] for i in odds.argmax(1)] == ["zx1", "zx2"]


async def test_the_probe_judges_a_message_and_its_clauses_and_no_sentence_by_itself(
    selector, embedder
):
    class Asked:
        """A probe that keeps what it was asked about."""

        tools = ("zx1", "zx2")

        def __init__(self) -> None:
            self.vectors = []

        def log_odds(self, vectors):
            self.vectors += list(vectors)
            return np.zeros((len(vectors), 2), np.float32)

    message = "The roses look dry today. Water them and pay the gas bill."
    clauses = ["The roses look dry today.", "Water them", "pay the gas bill."]
    asked = Asked()
    await selector.select(message, 2, votes=Votes(probe=asked))
    expected = await embedder.aembed([message, *clauses])
    np.testing.assert_allclose(asked.vectors, expected, atol=1e-5)


def test_too_few_exemplars_make_no_probe():
    few = module.Pool(
        ["a"] * (LEAST - 1) + ["b"] * LEAST, np.eye(2 * LEAST - 1, 8, dtype=np.float32)
    )
    assert VoteProbe.fit([few]) is None
    assert VoteProbe.fit([]) is None
