"""The bench of context, small: it drives the production gatherer and memory."""

from types import SimpleNamespace

import pytest

from evals.datasets.loader import load_conversations
from harness.context.embeddings import build_embedder
from harness.context.gather import ContextGatherer
from harness.context.live_store import LiveStore
from harness.context.memory import Memory
from harness.errors import HarnessError
from harness.settings import Settings
from loadtest.bench.context import bench_context

QUERIES = 3


@pytest.fixture(scope="module")
def data():
    """A little of the project's own conversations."""
    whole = load_conversations("tune")
    threads = {key: turns[:40] for key, turns in list(whole.threads.items())[:2]}
    return whole.model_copy(update={"threads": threads, "questions": whole.questions[:8]})


@pytest.fixture
def services(store, ephemeral_chroma, tmp_path_factory):
    home = tmp_path_factory.getbasetemp().parent / "minilm"
    settings = Settings(home=home, embedding_cache="memory")
    embedder = build_embedder(settings)
    memory = Memory(ephemeral_chroma, embedder)
    live = LiveStore(store)
    yield SimpleNamespace(
        settings=settings,
        store=store,
        memory=memory,
        gatherer=ContextGatherer(live, memory, settings),
    )
    embedder.close()


async def test_every_size_has_its_figures_and_nothing_is_left_behind(
    services, data, ephemeral_chroma
):
    said = []
    before = ephemeral_chroma.count_collections()
    figures = await bench_context(
        services, data, sizes=[60, 1000], queries=QUERIES, say=said.append
    )
    assert set(figures) == {
        "indexed_per_s",
        *(f"gather_{kind}_ms_{size}" for kind in ("p50", "p95", "first") for size in ("60", "1k")),
    }
    assert all(each.value and each.value > 0 for each in figures.values())
    assert figures["gather_p50_ms_1k"].n == QUERIES - 1
    assert said[-1] == "1,000 of 1,000 messages remembered"
    assert ephemeral_chroma.count_collections() == before


async def test_more_questions_than_there_are_is_told(services, data):
    with pytest.raises(HarnessError, match="questions"):
        await bench_context(services, data, sizes=[10], queries=100_000, say=print)
