"""Vectors from an OpenAI-compatible endpoint."""

from urllib.parse import urlsplit

import numpy as np
import openai
from numpy.typing import NDArray
from openai import DefaultHttpxClient, OpenAI, Timeout

from harness.context._unit import unit_vectors
from harness.errors import HarnessError
from harness.llm.clients import CONNECT_TIMEOUT_S, NO_KEY
from harness.llm.models import OPENAI_URL
from harness.settings import Settings

BATCH = 32  # texts a request: at 8,000 bytes each, within OpenAI's 300,000 tokens
RETRIES = 2  # of a batch


class OpenAIEmbedder:
    """A model behind `/v1/embeddings`, reached by the official client.

    Only made when `HARNESS_EMBEDDER` names it, and only then is a key used. Address and key are one
    pair, the embedder's own or the model's: no key goes to an address that it was not given for.

    Args:
        settings: of the deployment.
        model: the model's name at the endpoint.

    Raises:
        HarnessError: no endpoint is set.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        base_url, key = settings.embedder_base_url, settings.embedder_api_key
        own = base_url is not None or key is not None
        if not own:
            base_url, key = settings.openai_base_url, settings.openai_api_key
        if not model or (base_url is None and key is None):
            raise HarnessError(
                f"HARNESS_EMBEDDER is 'openai:{model}', which has no server",
                f"Name a model, and set HARNESS_EMBEDDER_API_KEY to use it at {OPENAI_URL}, or "
                "HARNESS_EMBEDDER_BASE_URL for your own.",
            )
        base_url = base_url or OPENAI_URL
        loopback = urlsplit(base_url).hostname in {"127.0.0.1", "localhost", "::1"}
        timeout = Timeout(settings.embedder_timeout_s, connect=CONNECT_TIMEOUT_S)
        self._batches = OpenAI(
            base_url=base_url,
            # Always given: the client would else take the environment's.
            api_key=key.get_secret_value() if key else NO_KEY,
            timeout=timeout,
            max_retries=RETRIES,
            http_client=DefaultHttpxClient(timeout=timeout, trust_env=not loopback),
        )
        # A single text is a query: its message is waiting, and can do without.
        self._queries = self._batches.with_options(max_retries=0)
        if own:
            for client in (self._batches, self._queries):
                client.organization = client.project = None
        self._host = urlsplit(base_url).hostname
        self._model = model
        self._asked = settings.embedder_dimensions
        self._found = settings.embedder_dimensions
        self._max_bytes = settings.embedder_max_bytes
        size = "" if self._asked is None else f"@{self._asked}"
        self.name = f"openai:{model}{size}"
        self.version = f"1-{self._max_bytes}"  # texts are cut at so many bytes

    @property
    def dimensions(self) -> int | None:
        """How long a vector is; None before the first answer, unless a setting says it."""
        return self._found

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """The texts' unit vectors; a text past the setting's bytes counts by its start.

        Raises:
            HarnessError: the endpoint did not answer, or not with vectors that can be used.
        """
        pages = [self._page(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        return np.concatenate(pages) if pages else np.empty((0, self._found or 0), np.float32)

    def close(self) -> None:
        """Close the connections."""
        self._batches.close()

    def _page(self, texts: list[str]) -> NDArray[np.float32]:
        client = self._batches if len(texts) > 1 else self._queries
        try:
            answer = client.embeddings.create(
                model=self._model,
                input=[_start(text, self._max_bytes) for text in texts],
                dimensions=self._asked if self._asked is not None else openai.omit,
                encoding_format="float",
            )
            # An endpoint that leaves the index out keeps the order.
            rows = sorted(answer.data, key=lambda row: row.index or 0)
            answered = [row.embedding for row in rows]
        except (openai.OpenAIError, AttributeError, TypeError, ValueError) as error:
            # Without its cause: a traceback would repeat what the endpoint said.
            raise HarnessError(f"the embedder {self.name} failed: {self._reason(error)}") from None
        vectors = unit_vectors(answered, len(texts), self._found, self.name)
        self._found = vectors.shape[1]
        return vectors

    def _reason(self, error: Exception) -> str:
        # Never the answer's own words: an endpoint may repeat the key in them.
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{self._host} refused the key; check HARNESS_EMBEDDER_API_KEY"
            case openai.APIStatusError():
                return f"{self._host} answered {error.status_code}"
            case openai.APITimeoutError():
                return f"{self._host} did not answer in time (HARNESS_EMBEDDER_TIMEOUT_S)"
            case openai.APIConnectionError():
                return f"{self._host} can't be reached; check HARNESS_EMBEDDER_BASE_URL"
        return f"{self._host} answered something else than embeddings"


def _start(text: str, max_bytes: int) -> str:
    """The text up to so many bytes, with what can't be sent replaced."""
    return text.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
