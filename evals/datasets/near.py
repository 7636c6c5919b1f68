"""Which requests are much like ones that were learned from: these measure memory, not choice."""

from collections.abc import Sequence

import numpy as np

from harness.context.embeddings import CachedEmbedder

NEAR_COSINE = 0.9
_ROWS = 1024  # compared at once, so that the products of large sets fit into memory


async def near_duplicates(
    texts: Sequence[str], learned: Sequence[str], embedder: CachedEmbedder
) -> list[bool]:
    """Whether each text's meaning is nearer than `NEAR_COSINE` to any that was learned from.

    Args:
        texts: requests that are measured.
        learned: requests that were learned from.
        embedder: makes unit vectors.
    """
    if not learned:
        return [False] * len(texts)
    known = await embedder.aembed(list(dict.fromkeys(learned)))
    vectors = await embedder.aembed(list(texts))
    nearest = [
        (vectors[start : start + _ROWS] @ known.T).max(axis=1)
        for start in range(0, len(texts), _ROWS)
    ]
    found: list[bool] = (np.concatenate(nearest) > NEAR_COSINE).tolist()
    return found
