import io
from types import SimpleNamespace

import chromadb
import pytest
from chromadb.config import Settings as ChromaSettings
from rich.console import Console

from harness.context.embeddings import build_embedder
from harness.context.live_store import LiveStore
from harness.context.memory import Memory
from harness.settings import Settings


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100)


@pytest.fixture(scope="session")
def eval_settings(tmp_path_factory):
    return Settings(home=tmp_path_factory.mktemp("eval-home"))


@pytest.fixture(scope="session")
def embedder(eval_settings):
    built = build_embedder(eval_settings)
    yield built
    built.close()


@pytest.fixture
def services(store, embedder, eval_settings, tmp_path):
    """The parts that the evals reach, over the shared Convex engine and a Chroma of its own."""
    chroma = chromadb.PersistentClient(
        str(tmp_path / "chroma"), ChromaSettings(anonymized_telemetry=False)
    )
    return SimpleNamespace(
        settings=eval_settings,
        store=store,
        live=LiveStore(store),
        memory=Memory(chroma, embedder),
    )
