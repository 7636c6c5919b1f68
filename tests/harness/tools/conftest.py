"""A workspace, a run's context and small registries."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from harness.context.embeddings import CachedEmbedder, build_embedder
from harness.context.memory import Memory
from harness.settings import Settings
from harness.tools.context import ToolContext

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("harness", deadline=None)
hypothesis.settings.load_profile("harness")


class Preferences:
    """A user's preferences, kept in memory."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, str], str] = {}

    async def preferences(self, user_id: str) -> dict[str, str]:
        return {key: value for (owner, key), value in self.saved.items() if owner == user_id}

    async def set_preference(self, user_id: str, key: str, value: str) -> None:
        self.saved[user_id, key] = value

    async def remove_preference(self, user_id: str, key: str) -> None:
        self.saved.pop((user_id, key), None)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CachedEmbedder]:
    """The packaged model; its graph is built once for all test processes."""
    cached = build_embedder(Settings(home=tmp_path_factory.getbasetemp().parent / "minilm"))
    yield cached
    cached.close()


@pytest.fixture(scope="session")
def memory(minilm: CachedEmbedder, ephemeral_chroma: Any) -> Memory:
    return Memory(ephemeral_chroma, minilm)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with a few files, and a secret beside it."""
    root = tmp_path / "workspace"
    (root / "notes" / "old").mkdir(parents=True)
    (root / "readme.md").write_text("Welcome to the boat house.\nBring a rope.\n")
    (root / "notes" / "tasks.md").write_text("Paint the hull\nBuy new rope\n")
    (root / "notes" / "old" / "log.txt").write_text("The mast broke in March.\n")
    (root / ".hidden").write_text("rope")
    (tmp_path / "secret.txt").write_text("rope: do not read")
    return root


@pytest.fixture
def context(root: Path, memory: Memory) -> ToolContext:
    return ToolContext(
        user_id=uuid.uuid4().hex,
        thread_id="thread",
        message_key="key",
        call_id="call",
        store=Preferences(),
        memory=memory,
        workspace=root,
    )
