"""Conversations that are written into the store and into memory as if they had been had."""

from collections.abc import Sequence

from harness.services import Services
from harness.store import ImportedMessage

IMPORT_BATCH = 500  # messages that one call of the store takes


async def write_thread(
    services: Services, user_id: str, thread_id: str, messages: Sequence[ImportedMessage]
) -> list[str]:
    """Import messages with their own times and index them by what the pipeline itself calls.

    Args:
        services: the production parts.
        user_id: whose thread it is.
        thread_id: the thread.
        messages: in order.

    Returns:
        The stored messages' ids, in order.
    """
    stored: list[str] = []
    for start in range(0, len(messages), IMPORT_BATCH):
        batch = list(messages[start : start + IMPORT_BATCH])
        answer = await services.store.import_messages(thread_id, batch)
        stored.extend(stored_id for stored_id, _ in answer)
        read = await services.store.history(
            thread_id, before_order=answer[-1][1] + 1, limit=len(batch)
        )
        await services.memory.index(user_id, thread_id, read)
    return stored
