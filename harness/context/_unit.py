"""What every embedder that is not ours must answer, checked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import HarnessError


def unit_vectors(
    answered: Sequence[ArrayLike], texts: int, dimensions: int | None, name: str
) -> NDArray[np.float32]:
    """The vectors of an answer at length one, float32 [texts, dimensions].

    Args:
        answered: a vector a text, of any length but zero.
        texts: how many were asked for.
        dimensions: how long each must be; None when the first answer decides.
        name: the embedder's, for the error.

    Raises:
        HarnessError: the answer is none that can be searched with.
    """
    if len(answered) != texts:
        raise HarnessError(f"the embedder {name} answered {len(answered)} vectors to {texts} texts")
    if len({np.size(vector) for vector in answered}) > 1:
        raise HarnessError(f"the embedder {name} answered vectors of unequal lengths")
    try:
        vectors = np.asarray(answered, np.float64)
    except (TypeError, ValueError):
        vectors = np.empty(0)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise HarnessError(f"the embedder {name} answered something else than vectors")
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise HarnessError(
            f"the embedder {name} answered {vectors.shape[1]} dimensions instead of {dimensions}",
            "Vectors of two lengths can't be compared; check HARNESS_EMBEDDER_DIMENSIONS.",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise HarnessError(f"the embedder {name} answered a vector without a direction")
    unit: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return unit
