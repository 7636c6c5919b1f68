"""Everything a message is answered with, gathered at once and within a budget."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import BaseModel

from harness.context import history
from harness.context.budget import MESSAGE_TOKENS, Budget, TokenCounter, Tokenizer, cut
from harness.context.history import HistoryItem, HistoryStore
from harness.context.memory import Memory
from harness.context.retriever import Hit, Scope
from harness.models import Message
from harness.settings import LOCAL_MODEL, Settings

FIXED_TOKENS = 1024  # kept free for the system prompt and the tools' schemas
PREFERENCES_SHARE = 0.2
HISTORY_SHARE = 0.5
LONGEST_SHARE = 0.4  # a longer message is cut, so that one does not push out all others


class ContextStore(HistoryStore, Protocol):
    """What the gatherer reads."""

    async def preferences(self, user_id: str, version: int | None = None) -> dict[str, str]:
        """The user's preferences by key; of that version at least, when there is one."""


class GatheredContext(BaseModel):
    """What a model is shown beside the message; `tokens` and `left_out` are by section."""

    history: list[HistoryItem] = []
    preferences: dict[str, str] = {}
    memories: list[Hit] = []
    tokens: dict[str, int] = {}
    left_out: dict[str, int] = {}


class ContextGatherer:
    """Reads history, preferences and memory side by side and fits them into the budget."""

    def __init__(
        self,
        store: ContextStore,
        memory: Memory,
        settings: Settings,
        tokenizer: TokenCounter | None = None,
    ) -> None:
        self._store = store
        self._memory = memory
        self._settings = settings
        self._tokenizer = tokenizer or Tokenizer(settings.model or LOCAL_MODEL)

    async def gather(
        self,
        user_id: str,
        thread_id: str,
        before_order: int,
        text: str,
        preferences_version: int | None = None,
    ) -> GatheredContext:
        """The context of a message.

        Args:
            user_id: who wrote it.
            thread_id: where.
            before_order: its place; nothing from there on is shown.
            text: the message itself.
            preferences_version: the one that `begin` answered; without it they are read anew.
        """
        settings = self._settings
        recent, preferences, found = await asyncio.gather(
            history.recent(self._store, thread_id, before_order, settings.history_messages),
            self._store.preferences(user_id, preferences_version),
            # More than wanted: those that the history shows anyway drop out.
            self._memory.retrieve(
                text, settings.memory_hits + settings.history_messages, Scope(user_id=user_id)
            ),
        )
        hits = [hit for hit in found if hit.thread_id != thread_id or hit.order < before_order]
        return assemble(
            self._available(text), recent, preferences, hits, settings.memory_hits, self._tokenizer
        )

    def _available(self, text: str) -> int:
        settings = self._settings
        window = settings.model_context_tokens - settings.model_max_output_tokens - FIXED_TOKENS
        return min(settings.context_budget_tokens, window - self._tokenizer.count(text))


def assemble(
    total: int,
    recent: Sequence[Message],
    preferences: Mapping[str, str],
    hits: Sequence[Hit],
    most_hits: int,
    counter: TokenCounter,
) -> GatheredContext:
    """Choose what is shown.

    Preferences and history first take up to their shares, memories what is left, and then older
    history the rest. A message is shown once, in the history or as a memory.

    Args:
        total: tokens to share out.
        recent: the thread's newest messages, oldest first.
        preferences: the user's.
        hits: memories, best first.
        most_hits: how many memories at most.
        counter: counts tokens as the model does.
    """
    budget = Budget(total)
    longest = int(budget.total * LONGEST_SHARE)
    known = [(key, cut(value, longest, counter)) for key, value in preferences.items()]
    known_costs = [counter.count(f"{key}: {value}") + MESSAGE_TOKENS for key, value in known]
    newest = [(message, cut(message.content, longest, counter)) for message in reversed(recent)]
    costs = [
        counter.count(f"{message.speaker or ''} {content}") + MESSAGE_TOKENS
        for message, content in newest
    ]
    told = budget.take("preferences", known_costs, PREFERENCES_SHARE)
    shown = budget.take("history", costs, HISTORY_SHARE)

    shown_ids = {newest[i][0].id for i in shown}
    wanted = [hit for hit in hits if hit.id not in shown_ids][:most_hits]
    wanted = [hit.model_copy(update={"text": cut(hit.text, longest, counter)}) for hit in wanted]
    hit_costs = [
        counter.count(f"{hit.speaker or ''} {hit.text}") + 2 * MESSAGE_TOKENS for hit in wanted
    ]
    memories = [wanted[i] for i in budget.take("memories", hit_costs)]

    remembered = {hit.id for hit in memories}
    rest = [i for i in range(len(newest)) if i not in shown and newest[i][0].id not in remembered]
    shown += [rest[i] for i in budget.take("history", [costs[i] for i in rest])]
    untold = [i for i in range(len(known)) if i not in told]
    told += [untold[i] for i in budget.take("preferences", [known_costs[i] for i in untold])]
    return GatheredContext(
        history=[_item(*newest[i]) for i in sorted(shown, reverse=True)],
        preferences=dict(known[i] for i in sorted(told)),
        memories=memories,
        tokens=budget.taken,
        left_out={
            "preferences": len(known) - len(told),
            "history": len(newest) - len(shown) - sum(m.id in remembered for m, _ in newest),
            "memories": len(wanted) - len(memories),
        },
    )


def _item(message: Message, content: str) -> HistoryItem:
    return HistoryItem(
        role=message.role, speaker=message.speaker, content=content, sent_at=message.sent_at
    )
