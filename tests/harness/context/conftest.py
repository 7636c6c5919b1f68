"""Messages, embedders without a model, and a memory within the process."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence

import chromadb
import hypothesis
import numpy as np
import pytest
from chromadb.api import ClientAPI
from chromadb.config import Settings as ChromaSettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.context.analysis import terms
from harness.context.embeddings import CachedEmbedder, build_embedder
from harness.context.memory import Memory
from harness.models import Message
from harness.settings import Settings

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("harness", deadline=None)
hypothesis.settings.load_profile("harness")

NewMessage = Callable[..., Message]


class WordEmbedder:
    """Texts that share words are near each other: enough to test what is done with vectors."""

    dimensions = 64

    def __init__(self) -> None:
        # Of its own in every test, so that tests may share a Chroma.
        self.name = f"words-{uuid.uuid4().hex[:8]}"
        self.embedded: list[str] = []

    def embed(self, texts: list[str]) -> np.ndarray:
        self.embedded += texts
        vectors = np.full((len(texts), self.dimensions), 0.01, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for term in terms(text):
                row[hashlib.sha256(term.encode()).digest()[0] % self.dimensions] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class EmbeddingServer:
    """An OpenAI-compatible `/v1/embeddings`, which a test may have answer something else."""

    dimensions = 24

    def __init__(self, serve: Callable) -> None:
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.failures: list[Response] = []  # given out first
        self.hangs = False
        self.url = serve(
            Starlette(routes=[Route("/v1/embeddings", self._answer, methods=["POST"])])
        ).url

    @property
    def texts(self) -> list[str]:
        return [text for request in self.requests for text in request["input"]]

    def vector_of(self, text: str, dimensions: int = dimensions) -> list[float]:
        """It depends on the text alone, and is of no particular length."""
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
        return [float(x) for x in np.random.default_rng(seed).normal(size=dimensions)]

    async def _answer(self, request: Request) -> Response:
        asked = await request.json()
        self.requests.append(asked)
        self.headers.append(dict(request.headers))
        while self.hangs and not await request.is_disconnected():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        if self.failures:
            return self.failures.pop(0)
        size = asked.get("dimensions", self.dimensions)
        rows = [
            {"object": "embedding", "index": i, "embedding": self.vector_of(text, size)}
            for i, text in enumerate(asked["input"])
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        # The answer has an order of its own: only `index` says which vector is whose.
        answer = {"object": "list", "data": rows[::-1], "model": asked["model"], "usage": usage}
        return JSONResponse(answer)


@pytest.fixture
def embedding_server(serve: Callable) -> EmbeddingServer:
    return EmbeddingServer(serve)


@pytest.fixture
def word_embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def embedder(word_embedder: WordEmbedder) -> Iterator[CachedEmbedder]:
    cached = CachedEmbedder(word_embedder)
    yield cached
    cached.close()


@pytest.fixture(scope="session")
def open_chroma(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], ClientAPI]:
    """Opens a client of the test process's own Chroma."""
    path = str(tmp_path_factory.mktemp("chroma"))
    return lambda: chromadb.PersistentClient(path, ChromaSettings(anonymized_telemetry=False))


@pytest.fixture(scope="session")
def chroma(open_chroma: Callable[[], ClientAPI]) -> ClientAPI:
    return open_chroma()


@pytest.fixture
def memory(chroma: ClientAPI, embedder: CachedEmbedder) -> Memory:
    return Memory(chroma, embedder)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CachedEmbedder]:
    """The packaged model; its graph is built once for all test processes."""
    home = tmp_path_factory.getbasetemp().parent / "minilm"
    cached = build_embedder(Settings(home=home))
    yield cached
    cached.close()


@pytest.fixture
def new_message() -> NewMessage:
    """Makes messages; each comes a minute after the one of the order before."""

    def make(content: str, order: int = 0, **fields: object) -> Message:
        given = {
            "id": uuid.uuid4().hex,
            "thread_id": "thread",
            "role": "user" if order % 2 == 0 else "assistant",
            "content": content,
            "order": order,
            "sent_at": 1_700_000_000_000 + order * 60_000,
            "status": "completed",
        }
        return Message.model_validate(given | fields)

    return make


@pytest.fixture
def conversation(new_message: NewMessage) -> Callable[[Sequence[str]], list[Message]]:
    """Makes a thread's messages of their texts."""
    return lambda texts: [new_message(text, order) for order, text in enumerate(texts)]
