import asyncio
from pathlib import Path

import numpy as np
import pytest

from harness.context.embeddings import CachedEmbedder, ChromaEmbedding, build_embedder
from harness.errors import HarnessError
from harness.settings import Settings


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
