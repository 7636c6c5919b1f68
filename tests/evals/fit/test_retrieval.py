import time
import uuid

import chromadb
import numpy as np
import pytest

from evals.datasets.loader import ConversationSet, DatasetInfo, Question, Turn
from evals.fit.retrieval import Sample, fit, judge_conversations, judge_feedback
from harness.context.embeddings import build_embedder
from harness.context.memory import Memory
from harness.context.ranker import SIGNALS, Judged
from harness.errors import HarnessError
from harness.events import MessageSent, message_key
from harness.models import Message
from harness.settings import SIMULATED_MODEL, Settings
from harness.telemetry.analytics import MEMORY_FEEDBACK

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    built = build_embedder(Settings(home=tmp_path_factory.getbasetemp().parent / "minilm"))
    yield built
    built.close()


@pytest.fixture
def client(tmp_path):
    return chromadb.PersistentClient(
        str(tmp_path), chromadb.config.Settings(anonymized_telemetry=False)
    )


def _conversations():
    texts = ["The kiln is hot.", "Fine.", "My aunt bakes bread.", "How nice!"]
    turns = tuple(
        Turn(id=f"t{n}", thread="t", role="user", text=text, sent_at=n * 1000)
        for n, text in enumerate(texts)
    )
    question = Question(
        id="q", thread="t", split="tune", category="single", text="Who makes bread?",
        evidence=("t2",), answer="the aunt",
    )  # fmt: skip
    info = DatasetInfo(name="c", sha256="0", split="tune")
    return ConversationSet(info=info, threads={"t": turns}, questions=(question,))


async def test_a_question_is_judged_by_what_production_would_weigh(client, embedder):
    (sample,) = await judge_conversations(_conversations(), client, embedder)
    assert set(sample.judged.signals) == set(SIGNALS)
    assert sample.judged.relevant.sum() == 1
    (relevant,) = np.flatnonzero(sample.judged.relevant)
    assert np.argmax(sample.judged.signals["lexical"]) == relevant


def _samples(group, count):
    rng = np.random.default_rng(count)
    for _ in range(count):
        signals = {name: rng.random(30).astype(np.float32) for name in SIGNALS}
        relevant = np.zeros(30, np.bool_)
        relevant[np.argmax(signals["length"])] = True
        yield Sample(group, Judged(signals, relevant))


def test_a_fit_is_checked_on_groups_it_has_not_seen():
    found = fit([*_samples("a", 40), *_samples("b", 41)], "made up")
    assert len(found.fitted) == len(found.by_hand) == 81
    assert found.fitted.mean() > found.by_hand.mean()


def test_a_single_group_is_fitted_and_not_checked():
    found = fit(list(_samples("a", 40)), "made up")
    assert found.ranker.queries == 40
    assert len(found.fitted) == 0


def test_nothing_judged_is_told():
    with pytest.raises(HarnessError, match="no query"):
        fit([], "nothing")


async def _ask(store, user_id, thread_id, text, sent_at):
    key = message_key(user_id, thread_id, uuid.uuid4().hex)
    sent = MessageSent(
        message_key=key, thread_id=thread_id, user_id=user_id, text=text,
        model=SIMULATED_MODEL, sent_at=sent_at,
    )  # fmt: skip
    await store.begin(sent, "run")
    return key


def _remembered(id_, text, sent_at):
    return Message.model_validate(
        {
            "id": id_, "thread_id": "past", "role": "user", "content": text,
            "sent_at": sent_at, "order": 0, "status": "completed",
        }
    )  # fmt: skip


async def test_feedback_is_judged_in_memory_as_it_was_when_the_message_was_sent(
    store, client, embedder
):
    user_id, now = uuid.uuid4().hex, time.time_ns() // 1_000_000
    thread_id = await store.create_thread(user_id, "t")
    memory = Memory(client, embedder)
    await memory.index(user_id, "past", [_remembered("old", "The kiln is hot", now - DAY_MS)])
    key = await _ask(store, user_id, thread_id, "How hot is the kiln?", now)
    await memory.index(user_id, "later", [_remembered("new", "The kiln is cold", now + DAY_MS)])
    for helpful in ("nonsense", "old"):
        await store.record_analytics(
            MEMORY_FEEDBACK, now, user_id=user_id, message_key=key, props={"helpful": helpful}
        )
    (sample,) = [s for s in await judge_feedback(store, memory, 1000) if s.group == user_id]
    assert sample.judged.relevant.tolist() == [True]
