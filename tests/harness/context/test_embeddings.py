import asyncio
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.context.embeddings import (
    EMBEDDERS,
    CachedEmbedder,
    ChromaEmbedding,
    build_embedder,
    slug,
)
from harness.context.vector_file import VectorFile
from harness.errors import HarnessError
from harness.settings import Settings
from harness.telemetry.metrics import CACHE_LOOKUPS


async def test_a_text_embedded_again_comes_from_the_cache(embedder, word_embedder):
    first = await embedder.aembed(["red apples"])
    again = await embedder.aembed(["red apples"])
    assert word_embedder.embedded == ["red apples"]
    assert np.array_equal(first, again)
    assert (embedder.cache.hits, embedder.cache.misses) == (1, 1)


async def test_a_text_repeated_in_one_call_is_embedded_once(embedder, word_embedder):
    vectors = await embedder.aembed(["pears", "plums", "pears"])
    assert sorted(word_embedder.embedded) == ["pears", "plums"]
    assert np.array_equal(vectors[0], vectors[2])


async def test_vectors_come_in_the_order_of_their_texts(embedder, word_embedder):
    texts = [f"{'long ' * (i % 7)}text number {i}" for i in range(50)]
    vectors = await embedder.aembed(texts)
    assert np.array_equal(vectors, word_embedder.embed(texts))


async def test_no_texts_give_no_vectors(embedder, word_embedder):
    vectors = await embedder.aembed([])
    assert vectors.shape == (0, word_embedder.dimensions)


async def test_the_cache_forgets_beyond_its_bound(word_embedder):
    embedder = CachedEmbedder(word_embedder, max_texts=2)
    for text in ("one", "two", "three"):
        await embedder.aembed([text])
    assert len(embedder.cache) == 2
    embedder.close()


async def test_changing_a_returned_vector_leaves_the_cache_alone(embedder):
    first = await embedder.aembed(["stone"])
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(await embedder.aembed(["stone"]), kept)


async def test_embedding_lets_the_loop_go_on(word_embedder):
    release = asyncio.Event()
    loop = asyncio.get_running_loop()
    inner_embed = word_embedder.embed

    def embed_when_released(texts):
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return inner_embed(texts)

    word_embedder.embed = embed_when_released
    embedder = CachedEmbedder(word_embedder)
    embedding = asyncio.create_task(embedder.aembed(["patience"]))
    await asyncio.sleep(0)
    assert not embedding.done()
    release.set()  # only a running loop gets here
    assert (await embedding).shape == (1, word_embedder.dimensions)
    embedder.close()


async def test_a_query_is_not_held_up_by_a_whole_batch(word_embedder):
    embedder = CachedEmbedder(word_embedder)
    batch = asyncio.create_task(embedder.aembed([f"document {i}" for i in range(200)]))
    await asyncio.sleep(0)
    await embedder.aembed(["query"])
    assert not batch.done()
    await batch
    embedder.close()


def test_an_unknown_embedder_is_refused_with_those_there_are(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"HARNESS_EMBEDDER is 'word2vec'.*minilm"):
        build_embedder(Settings(home=tmp_path, embedder="word2vec"))


def test_chroma_gets_the_embedders_own_vectors(word_embedder):
    vectors = ChromaEmbedding(word_embedder)(["a chair"])
    assert np.allclose(vectors[0], word_embedder.embed(["a chair"])[0])


def test_a_collection_opened_without_its_embedder_says_so_instead_of_using_another(
    chroma, word_embedder
):
    name = word_embedder.name
    chroma.create_collection(name, embedding_function=ChromaEmbedding(word_embedder))
    opened = chroma.get_collection(name)
    with pytest.raises(HarnessError, match=f"embedder {name} was opened without it"):
        opened.query(query_texts=["a chair"])


@pytest.fixture
def cached_on_disk(word_embedder, tmp_path):
    """Makes embedders over one file, as several processes have them."""
    made = []

    def make():
        file = VectorFile(tmp_path / "vectors.sqlite")
        made.append(CachedEmbedder(word_embedder, file=file))
        return made[-1]

    yield make
    for embedder in made:
        embedder.close()


async def test_what_one_process_has_embedded_no_other_does_again(cached_on_disk, word_embedder):
    texts = [f"text {i}" for i in range(40)]
    first = await cached_on_disk().aembed(texts)
    word_embedder.embedded.clear()
    second = await cached_on_disk().aembed([*texts, "one more"])
    assert word_embedder.embedded == ["one more"]
    assert np.array_equal(first, second[:-1])


async def test_a_model_that_changed_under_its_name_is_refused(cached_on_disk, word_embedder):
    await cached_on_disk().aembed(["kept"])
    word_embedder.embed = lambda texts: np.eye(len(texts), 3, dtype=np.float32)
    with pytest.raises(HarnessError, match="64 dimensions, and 3 at another time"):
        await cached_on_disk().aembed(["kept", "new"])


async def test_every_cache_of_vectors_counts_its_lookups(cached_on_disk):
    def count(cache, outcome):
        return CACHE_LOOKUPS.labels(cache, outcome)._value.get()

    names = [(c, o) for c in ("embeddings", "embeddings-disk") for o in ("hit", "miss")]
    before = [count(*name) for name in names]
    await cached_on_disk().aembed(["new"])  # a miss of both
    again = cached_on_disk()
    await again.aembed(["new"])  # the file's hit
    await again.aembed(["new"])  # the memory's
    assert [count(*name) - was for name, was in zip(names, before, strict=True)] == [1, 2, 1, 1]


@pytest.mark.parametrize(
    ("cache", "embedded", "files"),
    [("disk", ["a"], 1), ("memory", ["a"], 0), ("off", ["a", "a"], 0)],
)
async def test_a_setting_decides_what_remembers(
    monkeypatch, tmp_path, word_embedder, cache, embedded, files
):
    word_embedder.version = "1"
    word_embedder.close = lambda: None
    kind = replace(EMBEDDERS["minilm"], build=lambda settings, _: word_embedder)
    monkeypatch.setitem(EMBEDDERS, "minilm", kind)
    embedder = build_embedder(Settings(home=tmp_path, embedding_cache=cache))
    for _ in range(2):
        await embedder.aembed(["a"])
    embedder.close()
    assert word_embedder.embedded == embedded
    assert len(list(tmp_path.rglob("*.sqlite"))) == files


@pytest.mark.parametrize("name", ["minilm", "words-1a2b3c", "A1"])
def test_a_short_plain_name_is_its_own_slug(name):
    assert slug(name) == name


@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_no_two_names_share_a_slug(names):
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,11}", s) for s in slugs)
    assert not {slug(s) for s in slugs if "_" in s} & set(slugs)
