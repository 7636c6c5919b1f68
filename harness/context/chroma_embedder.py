"""Any of Chroma's embedding functions as an embedder."""

import hashlib
import json
from typing import Any

import numpy as np
from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.utils.embedding_functions import known_embedding_functions
from numpy.typing import NDArray

from harness.context._unit import unit_vectors
from harness.errors import HarnessError
from harness.settings import Settings

# These fetch a model from an address of Chroma's when they are first used.
DOWNLOADING = frozenset({"default", "onnx_mini_lm_l6_v2"})


class ChromaFunctionEmbedder:
    """A registered embedding function of Chroma's, with `HARNESS_EMBEDDER_CONFIG`.

    Args:
        settings: hold the function's configuration as JSON, as its `build_from_config` takes it.
        function: the name it is registered by.

    Raises:
        HarnessError: there is none of that name, or it can't be made with this configuration.
    """

    version = "1"

    def __init__(self, settings: Settings, function: str) -> None:
        config = _config(settings.embedder_config.get_secret_value())
        digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:8]
        self.name = f"chroma:{function}" + (f"@{digest}" if config else "")
        self.dimensions: int | None = settings.embedder_dimensions
        self._function = _build(function, config)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """The texts' unit vectors.

        Raises:
            HarnessError: the function failed, or gave no vectors that can be used.
        """
        if not texts:
            return np.empty((0, self.dimensions or 0), np.float32)
        try:
            answered = self._function(texts)
        except Exception as error:  # of any kind: the functions are other people's
            raise HarnessError(f"the embedder {self.name} failed: {_line(error)}") from error
        vectors = unit_vectors(answered, len(texts), self.dimensions, self.name)
        self.dimensions = vectors.shape[1]
        return vectors

    def close(self) -> None:
        """Nothing to close: what a function holds is its own."""


def _config(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise HarnessError("HARNESS_EMBEDDER_CONFIG is no JSON object", 'Write it like {"a": 1}.')
    return config


def _build(name: str, config: dict[str, Any]) -> EmbeddingFunction[Documents]:
    if name in DOWNLOADING:
        raise HarnessError(
            f"Chroma's embedding function {name!r} would download its model",
            "Use HARNESS_EMBEDDER=minilm, which is that model from a package.",
        )
    known = known_embedding_functions.get(name)
    if known is None:
        names = ", ".join(sorted(set(known_embedding_functions) - DOWNLOADING))
        raise HarnessError(f"Chroma has no embedding function {name!r}", f"Use one of: {names}.")
    try:
        return known.build_from_config(config)
    except Exception as error:  # of any kind: the functions are other people's
        raise HarnessError(
            f"Chroma's embedding function {name!r} can't be made: {_line(error)}",
            "Check HARNESS_EMBEDDER_CONFIG.",
        ) from error


def _line(error: Exception) -> str:
    """The error as one line; a function that names no argument of its own says only that."""
    return " ".join(str(error).split())[:300] or type(error).__name__
