from pathlib import Path

import pytest

from evals.embedding import embedder_engines, exact, timed
from harness.settings import Settings

PRIVATE = Settings(home=Path("private"), chroma_url="http://127.0.0.1:1")


def test_vectors_of_earlier_runs_are_not_used():
    settings = timed(PRIVATE, Settings(home=Path("own")))
    assert (settings.home, settings.chroma_url) == (Path("own"), PRIVATE.chroma_url)
    assert embedder_engines(settings) == {"embedder": "minilm", "embedding cache": "memory"}


@pytest.mark.parametrize("cache", ["disk", "off"])
def test_unless_the_environment_asks_for_it(monkeypatch, cache):
    monkeypatch.setenv("HARNESS_EMBEDDING_CACHE", cache)
    assert timed(PRIVATE, Settings()).embedding_cache == cache


def test_retrieval_is_measured_by_a_search_that_considers_every_message(monkeypatch):
    assert exact(Settings()).memory_breadth > 100_000
    monkeypatch.setenv("HARNESS_MEMORY_BREADTH", "64")
    assert exact(Settings()).memory_breadth == 64
