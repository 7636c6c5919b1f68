"""What holds for every embedder that a setting can name."""

import re

import numpy as np
import pytest
from chromadb.api.types import EmbeddingFunction
from chromadb.utils import embedding_functions

from harness.context.embeddings import SLUG_CHARS, build_embedder, slug
from harness.settings import Settings

EMBEDDERS = ("minilm", "openai:small-model", "chroma:letters")
TEXTS = [
    "The boat needs a new sail.",
    "Ünïcode: 日本語, עברית, 🚣‍♀️ and a lone \ud83d",
    "short",
    "long " * 20_000,
    "日" * 10_000,
    "short",
    " ",
]


class Letters(EmbeddingFunction):
    """Counts letters."""

    def __init__(self) -> None:
        pass

    def __call__(self, input):
        return [np.array([1 + text.count(c) for c in "abcdefghij"], np.float32) for text in input]

    @staticmethod
    def name():
        return "letters"

    def get_config(self):
        return {}

    @staticmethod
    def build_from_config(config):
        return Letters()


@pytest.fixture
def letters(monkeypatch):
    known = embedding_functions.known_embedding_functions
    monkeypatch.setitem(known, "letters", Letters)


@pytest.fixture(params=EMBEDDERS)
def build(request, letters, tmp_path_factory, tmp_path, embedding_server):
    """Builds the embedder anew; each time it knows no text."""
    home = tmp_path
    if request.param == "minilm":  # its graph is built once for all test processes
        home = tmp_path_factory.getbasetemp().parent / "minilm"
    built = []

    def make():
        settings = Settings(
            home=home,
            embedder=request.param,
            embedder_base_url=f"{embedding_server.url}/v1",
            embedding_cache="off",
        )
        built.append(build_embedder(settings))
        return built[-1]

    yield make
    for embedder in built:
        embedder.close()


@pytest.fixture
def named(build):
    return build()


async def test_vectors_have_length_one(named):
    vectors = await named.aembed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), named.dimensions)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_a_text_has_the_same_vector_whatever_comes_with_it(named):
    together = await named.aembed(TEXTS)
    alone = [(await named.aembed([text]))[0] for text in TEXTS]
    assert np.allclose(together, alone, atol=1e-4)


async def test_vectors_come_in_the_order_of_their_texts(named):
    texts = [f"{'abc' * (i % 9)} and {i} {'jig' * (i % 5)}" for i in range(40)]
    forward = await named.aembed(texts)
    backward = await named.aembed(texts[::-1])
    assert np.allclose(forward, backward[::-1], atol=1e-4)
    assert len(np.unique(forward.round(3), axis=0)) > 10


async def test_a_text_that_comes_twice_has_one_vector(named):
    vectors = await named.aembed(["jig", "cab", "jig"])
    assert np.array_equal(vectors[0], vectors[2])
    assert not np.allclose(vectors[0], vectors[1])


async def test_no_texts_give_no_vectors(named):
    await named.aembed(["one"])
    assert (await named.aembed([])).shape == (0, named.dimensions)
    assert named.embed([]).shape == (0, named.dimensions)


async def test_no_texts_are_no_work_before_any_vector_was_made(named):
    assert len(await named.aembed([])) == 0


async def test_another_process_would_make_the_same_vectors(build):
    first, second = build(), build()
    assert np.allclose(await first.aembed(TEXTS), await second.aembed(TEXTS), atol=1e-5)
    assert (first.name, first.dimensions) == (second.name, second.dimensions)


def test_blocking_gives_what_waiting_gives(named):
    assert np.allclose(named.embed(TEXTS), named.embed(TEXTS[::-1])[::-1], atol=1e-4)


def test_its_name_is_safe_in_a_collections_name(named):
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", slug(named.name))
    assert len(slug(named.name)) <= SLUG_CHARS


async def test_it_serves_memory(named, chroma, user_id, conversation):
    from harness.context.memory import Memory
    from harness.context.retriever import Scope

    memory = Memory(chroma, named)
    await memory.index(user_id, "thread", conversation(["a jig at dawn", "feed the cab"]))
    hits = await memory.retrieve("feed the cab", 1, Scope(user_id=user_id))
    assert [hit.text for hit in hits] == ["feed the cab"]
