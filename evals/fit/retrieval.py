"""Fits the ranker of memories to labelled conversations, or to what users said had helped them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from chromadb.api import ClientAPI
from numpy.typing import NDArray

from evals.datasets.loader import ConversationSet, Turn
from harness.context.embeddings import CachedEmbedder
from harness.context.fusion import best, weigh
from harness.context.memory import Memory
from harness.context.ranker import BY_HAND, Judged, Ranker, fit_ranker
from harness.context.retriever import Scope
from harness.models import Message, Status
from harness.store import Store
from harness.telemetry.analytics import MEMORY_FEEDBACK

USER = "everyone"  # a user has several threads, and one of them holds the answer
PAGE = 200
DEPTH = 10


@dataclass(frozen=True)
class Sample:
    """A judged query and the group that it is left out with when a fit is checked."""

    group: str
    judged: Judged


@dataclass(frozen=True)
class Fit:
    """A fitted ranker, and what was found by it and by the weights set by hand.

    Attributes:
        fitted: share of the relevant messages among the first ten, each group judged by a fit
            without it; float64 [queries].
        by_hand: the same by the weights set by hand.
    """

    ranker: Ranker
    fitted: NDArray[np.float64]
    by_hand: NDArray[np.float64]


async def judge(memory: Memory, query: str, relevant: Sequence[str], scope: Scope) -> Judged:
    """Work out a query's signals.

    Args:
        memory: what is searched.
        query: the text that is searched for.
        relevant: ids of the messages that serve it.
        scope: which messages may be found.
    """
    ids, signals = await memory.hybrid.signals(query, scope)
    return Judged(signals, np.isin(ids, list(relevant)))


async def judge_conversations(
    data: ConversationSet, client: ClientAPI, embedder: CachedEmbedder
) -> list[Sample]:
    """Index the conversations as one user's threads and work out every question's signals.

    Args:
        data: labelled conversations.
        client: of a Chroma that may be filled.
        embedder: the one that the ranker will serve.
    """
    memory = Memory(client, embedder, ranker=Ranker(weights=BY_HAND))
    for thread, turns in data.threads.items():
        await memory.index(USER, thread, [_message(turn, n) for n, turn in enumerate(turns)])
    return [
        Sample(
            question.thread,
            await judge(memory, question.text, question.evidence, Scope(user_id=USER)),
        )
        for question in data.questions
    ]


async def judge_feedback(store: Store, memory: Memory, limit: int) -> list[Sample]:
    """Work out the signals of messages whose users said which memories had helped.

    Memory is looked at as it was when a message was sent. Of several words on one message the
    last counts.

    Args:
        store: has the feedback and the messages.
        memory: what they were answered from.
        limit: at most so many messages, the newest.
    """
    told: dict[str, tuple[str, str]] = {}
    cursor: str | None = None
    while len(told) < limit:
        page = await store.list_analytics(MEMORY_FEEDBACK, limit=PAGE, cursor=cursor)
        for event in page.page:
            if event.message_key is not None and event.subject is not None:
                helpful = str(event.props.get("helpful", ""))
                told.setdefault(event.message_key, (event.subject, helpful))
        if page.is_done:
            break
        cursor = page.continue_cursor
    samples: list[Sample] = []
    for key, (user_id, helpful) in list(told.items())[:limit]:
        exchange = await store.read_message(key)
        if exchange is None or exchange.user is None:
            continue  # its thread was deleted
        scope = Scope(user_id=user_id, sent_before=exchange.user.sent_at)
        judged = await judge(memory, exchange.user.content, helpful.split(","), scope)
        samples.append(Sample(user_id, judged))
    return samples


def fit(samples: Sequence[Sample], fitted_on: str) -> Fit:
    """Fit a ranker, and check it group by group on what it has not seen.

    Args:
        samples: judged queries; a single group can be fitted and not checked.
        fitted_on: named in the ranker.

    Raises:
        HarnessError: no query has a relevant message.
    """
    useful = [sample for sample in samples if sample.judged.relevant.any()]
    ranker = fit_ranker([sample.judged for sample in useful], fitted_on)
    fitted, by_hand = [], []
    groups = sorted({sample.group for sample in useful})
    for group in groups if len(groups) > 1 else []:
        rest = [sample.judged for sample in useful if sample.group != group]
        weights = fit_ranker(rest, fitted_on).weights
        for sample in (sample for sample in useful if sample.group == group):
            fitted.append(_recall(sample.judged, weights))
            by_hand.append(_recall(sample.judged, BY_HAND))
    return Fit(ranker, np.array(fitted), np.array(by_hand))


def _recall(judged: Judged, weights: dict[str, float]) -> float:
    everything = np.ones(len(judged.relevant), np.bool_)
    found = best(weigh(judged.signals, weights), everything, DEPTH)
    return float(judged.relevant[found].sum() / judged.relevant.sum())


def _message(turn: Turn, order: int) -> Message:
    return Message(
        id=turn.id,
        thread_id=turn.thread,
        role=turn.role,
        speaker=turn.speaker,
        content=turn.text,
        sent_at=turn.sent_at,
        order=order,
        status=Status.COMPLETED,
    )
