"""Everything a message is answered with, gathered at once and within a budget."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from harness.context import history
from harness.context.assembly import GatheredContext, assemble
from harness.context.history import HistoryItem, HistoryStore
from harness.context.memory import Memory
from harness.context.retriever import Hit, Scope
from harness.context.summary import SummaryStore, summarises
from harness.context.tokens import TokenCounter, token_counter
from harness.llm.models import ModelSpec, resolve_model
from harness.models import Message
from harness.settings import Settings

__all__ = ["ContextGatherer", "ContextStore", "GatheredContext", "KnowledgeBase"]


class ContextStore(HistoryStore, SummaryStore, Protocol):
    """What the gatherer reads."""

    async def preferences(self, user_id: str, version: int | None = None) -> dict[str, str]:
        """The user's preferences by key; of that version at least, when there is one."""


class KnowledgeBase(Protocol):
    """Documents that every user's messages are answered with."""

    async def retrieve(self, query: str, k: int) -> list[Hit]:
        """The k pieces of documents that serve a query best, best first."""


class ContextGatherer:
    """Reads everything that belongs to a message side by side and fits it into the budget.

    Args:
        store: history, summary and preferences.
        memory: what was said before.
        settings: how much of each.
        knowledge: documents, where there are any.
        counter_of: what counts the tokens of a model.
    """

    def __init__(
        self,
        store: ContextStore,
        memory: Memory,
        settings: Settings,
        knowledge: KnowledgeBase | None = None,
        counter_of: Callable[[str], TokenCounter] = token_counter,
    ) -> None:
        self._store = store
        self._memory = memory
        self._settings = settings
        self._knowledge = knowledge
        self._counter_of = counter_of

    async def gather(
        self,
        user_id: str,
        thread_id: str,
        before_order: int,
        text: str,
        *,
        model: str | None = None,
        preferences_version: int | None = None,
        sent_before: int | None = None,
    ) -> GatheredContext:
        """The context of a message.

        Args:
            user_id: who wrote it.
            thread_id: where.
            before_order: its place; nothing from there on is shown.
            text: the message itself.
            model: the name of the one that is to answer; None for the default.
            preferences_version: the one that `begin` answered; without it they are read anew.
            sent_before: memory as it was at that time, in milliseconds UTC, for a message of the
                past; None for all of it.

        Raises:
            UnknownModel: no setting describes the model.
        """
        settings = self._settings
        spec = resolve_model(model, settings)
        recent, preferences, summary, found, documents, counter = await asyncio.gather(
            history.recent(self._store, thread_id, before_order, settings.history_messages),
            self._store.preferences(user_id, preferences_version),
            self._summary(spec, thread_id, before_order),
            # More than wanted: those that the history shows anyway drop out.
            self._memory.retrieve(
                text,
                settings.memory_hits + settings.history_messages,
                Scope(user_id=user_id, sent_before=sent_before),
            ),
            self._documents(text),
            asyncio.to_thread(self._counter_of, spec.model),  # its tables may have to be read
        )
        everything = GatheredContext(
            history=[_item(message) for message in recent],
            preferences=preferences,
            summary=summary,
            memories=[h for h in found if h.thread_id != thread_id or h.order < before_order],
            documents=documents,
        )
        window = spec.context_tokens - spec.max_output_tokens - counter.count(text)
        total = min(settings.context_budget_tokens, window)
        return assemble(total, everything, counter, settings.memory_hits)

    async def _summary(self, spec: ModelSpec, thread_id: str, before_order: int) -> str:
        # Not asked for when the history shows everything there is.
        if before_order <= self._settings.history_messages or not summarises(spec, self._settings):
            return ""
        kept = await self._store.summary(thread_id)
        return kept.text if kept is not None and kept.through_order < before_order else ""

    async def _documents(self, text: str) -> list[Hit]:
        if self._knowledge is None or self._settings.document_hits < 1:
            return []
        return await self._knowledge.retrieve(text, self._settings.document_hits)


def _item(message: Message) -> HistoryItem:
    return HistoryItem(
        role=message.role,
        speaker=message.speaker,
        content=message.content,
        sent_at=message.sent_at,
        id=message.id,
    )
