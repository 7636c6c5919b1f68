"""What a tool may reach while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.context.memory import Memory
from harness.settings import GIT_AUTHOR


class PreferenceStore(Protocol):
    """Where preferences are kept."""

    async def preferences(self, user_id: str) -> dict[str, str]:
        """The user's preferences by key."""

    async def set_preference(self, user_id: str, key: str, value: str) -> None:
        """Keep a preference, over an older one of its key."""

    async def remove_preference(self, user_id: str, key: str) -> None:
        """Forget a preference; one that is not there is forgotten already."""


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
    git_author: str = GIT_AUTHOR
    fetch_allow: Sequence[str] = ()  # the hosts that pages are fetched from
