import zlib

import numpy as np

from harness.context.embeddings import CachedEmbedder
from loadtest.bench.selection import bench_selection


class HashEmbedder:
    name, dimensions = "hash", 32

    def embed(self, texts):
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=32) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


async def test_each_size_of_catalogue_has_its_figures():
    embedder, said = CachedEmbedder(HashEmbedder()), []
    figures = await bench_selection(embedder, say=said.append, sizes=(10, 1000))
    embedder.close()
    assert set(figures) == {
        f"select_{name}_{size}" for name in ("p50_ms", "p95_ms", "cpu_ms") for size in ("10", "1k")
    }
    assert all(each.value > 0 and each.unit == "ms" for each in figures.values())
    assert "1,000 tools" in said[-1]
