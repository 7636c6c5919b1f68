"""What a tool may reach while it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.context.memory import Memory


class PreferenceStore(Protocol):
    """Where preferences are kept."""

    async def preferences(self, user_id: str) -> dict[str, str]:
        """The user's preferences by key."""

    async def set_preference(self, user_id: str, key: str, value: str) -> None:
        """Keep a preference, over an older one of its key."""


@dataclass(frozen=True)
class ToolContext:
    """The run on whose behalf a tool is called; `workspace` is the only folder it may touch."""

    user_id: str
    thread_id: str
    message_key: str
    call_id: str
    store: PreferenceStore
    memory: Memory
    workspace: Path
