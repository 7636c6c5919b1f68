"""Retrieval: does what the pipeline gathers for a question hold the messages that answer it?

Conversations go through the store as threads of fresh users, one each unless the set says whose
they are, and into memory by the function that the pipeline itself calls. Each question is then
asked in a new thread of that user through the production `ContextGatherer.gather`, with memory as
it was then where the set says when, and the memories that it would show are scored.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from rich.console import Console

from evals.clusters import described_unit
from evals.datasets.loader import ConversationSet, Question, Turn
from evals.datasets.overlap import shared_stems
from evals.datasets.sessions import sessions_of
from evals.embedding import embedder_engines
from evals.figures import Figure, build_document, figure, public_settings
from evals.fit.cross_validation import Labelled, check_folds, fold_rankers
from evals.journal import Row
from evals.metrics.ranking import DEPTH, MEASURES, ranking_scores
from evals.plan import WHOLE, Plan
from evals.runner import Measuring, run_samples
from evals.tasks.result import (
    Evaluation,
    failure_figure,
    first_repeat,
    latency_figures,
    mean_figures,
    sample_settings,
)
from evals.threads import write_thread
from harness.context.gather import ContextGatherer
from harness.context.ranker import Ranker
from harness.context.retriever import Scope
from harness.services import Services
from harness.settings import Settings
from harness.store.results import ImportedMessage

PARTS = {"convex", "chroma"}  # the services it needs
TASK = "eval retrieval"
SESSION_METRICS = tuple(f"session_{name}" for name in MEASURES)
METRICS = (*MEASURES, *SESSION_METRICS)
BY_CATEGORY = ("recall@5", "recall@10", "mrr@10")
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class _Written:
    """A user's threads in the store, and the one that questions about them are asked in."""

    user_id: str
    asking_thread: str
    stored_id: dict[str, str]
    session: dict[str, str]  # by stored id


def eval_settings(settings: Settings) -> Settings:
    """The settings with as many memories shown as the deepest metric looks at."""
    return settings.model_copy(update={"memory_hits": DEPTH})


async def evaluate_retrieval(
    services: Services,
    data: ConversationSet,
    *,
    console: Console,
    plan: Plan = WHOLE,
    engines: dict[str, str] | None = None,
    cross_validated: bool = False,
) -> Evaluation:
    """Write, index and ask, and score the turns that came back.

    Questions are asked one at a time, so that latencies are those of an idle system; where they
    were fitted on, their vectors are known by then, and there is no figure of latency.

    Args:
        services: the production parts; only the number of memories shown is raised to 10.
        data: conversations and questions of one split.
        console: where progress goes.
        plan: which questions are measured, and how often.
        engines: what stood behind each service, for the record.
        cross_validated: rank each conversation by weights fitted on the other ones, instead of
            the shipped weights.

    Raises:
        HarnessError: there are too few conversations to cross-validate.
    """
    started = time.perf_counter()
    settings = eval_settings(services.settings)
    fitted = "cv" if cross_validated else "shipped"
    questions = plan.select(data.questions)
    folds = {question.thread for question in questions}
    if cross_validated:
        check_folds(folds)
    threads = _threads_of(data, questions)
    texts = {turn.id: turn.text for thread in threads.values() for turn in thread}
    turns = len(texts)
    journal = plan.open_journal(TASK, settings, data.info, console, fit=fitted)
    console.print(f"retrieval: writing and indexing {turns} messages of {len(threads)} threads")
    run = uuid.uuid4().hex[:12]
    users = {key: f"eval-{run}-{data.user_of(key)}" for key in threads}
    try:
        written = await _write(services, threads, users)
        indexed_s = time.perf_counter() - started
        memories = dict.fromkeys(threads, services.memory)
        if cross_validated:
            rankers = await _rankers(services, written, questions)
            memories = {key: services.memory.ranked_by(each) for key, each in rankers.items()}
        gatherers = {
            key: ContextGatherer(services.live, memory, settings)
            for key, memory in memories.items()
        }

        async def measure(question: Question, _seed: int) -> Row:
            place = written[question.thread]
            return await _ask(gatherers[question.thread], place, question, texts)

        def failed(question: Question) -> Row:
            return _columns(question, texts, dict.fromkeys(METRICS, 0.0))

        rows = await run_samples(
            questions,
            Measuring(measure, failed, TIMEOUT_S),
            label="retrieval",
            console=console,
            in_flight=1,
            repeats=plan.repeats,
            journal=journal,
        )
    finally:
        if journal is not None:
            journal.close()
        for user_id in set(users.values()):
            await services.memory.forget_user(user_id)
    figures = _figures(rows) | ({} if cross_validated else _latencies(rows))
    if cross_validated:
        console.print(
            "--fit cv has embedded the questions before they are asked: gather has no latency"
        )
    figures |= {
        "indexed_per_s": figure(turns / indexed_s, "messages/s", turns),
        "seconds": figure(time.perf_counter() - started, "s"),
    }
    given = sample_settings(
        questions=len(questions),
        threads=len(threads),
        messages=turns,
        asked_in="a new thread",
        fit=fitted,
        **({"folds": len(folds)} if cross_validated else {}),
        intervals=f"over {described_unit(rows)}",
        **plan.settings(),
        **data.info.notes,
    )
    document = build_document(
        TASK,
        figures,
        public_settings(settings) | given,
        engines=(engines or {}) | embedder_engines(settings),
        dataset=data.info,
    )
    return Evaluation(document, rows, journal)


async def _rankers(
    services: Services, written: dict[str, _Written], questions: Sequence[Question]
) -> Mapping[str, Ranker]:
    """For each conversation one that was fitted on the others."""
    labelled = [
        Labelled(
            fold=question.thread,
            text=question.text,
            scope=Scope(user_id=written[question.thread].user_id, sent_before=question.asked_at),
            relevant=tuple(written[question.thread].stored_id[each] for each in question.evidence),
        )
        for question in questions
    ]
    return await fold_rankers(services.memory, labelled)


def _threads_of(
    data: ConversationSet, questions: Sequence[Question]
) -> dict[str, tuple[Turn, ...]]:
    wanted = {data.user_of(question.thread) for question in questions}
    return {key: turns for key, turns in data.threads.items() if data.user_of(key) in wanted}


async def _write(
    services: Services, threads: dict[str, tuple[Turn, ...]], users: dict[str, str]
) -> dict[str, _Written]:
    """Put conversations into the store and into memory, as if they had been had.

    Args:
        services: the production parts.
        threads: the conversations.
        users: whose each thread is.

    Returns:
        The place of each thread; threads of one user share it.
    """
    places: dict[str, _Written] = {}
    for thread, turns in threads.items():
        user_id = users[thread]
        if user_id not in places:
            asking = await services.store.create_thread(user_id=user_id, title="questions")
            places[user_id] = _Written(user_id, asking, {}, {})
        thread_id = await services.store.create_thread(user_id=user_id, title=thread)
        stored = await write_thread(
            services, user_id, thread_id, [_imported(turn) for turn in turns]
        )
        places[user_id].stored_id.update(zip((turn.id for turn in turns), stored, strict=True))
        sittings = (f"{thread}:{number}" for number in sessions_of(turns))
        places[user_id].session.update(zip(stored, sittings, strict=True))
    return {thread: places[users[thread]] for thread in threads}


def _imported(turn: Turn) -> ImportedMessage:
    return ImportedMessage(
        role=turn.role, speaker=turn.speaker, content=turn.text, sent_at=turn.sent_at
    )


async def _ask(
    gatherer: ContextGatherer,
    place: _Written,
    question: Question,
    texts: dict[str, str],
) -> Row:
    started = time.perf_counter()
    gathered = await gatherer.gather(
        place.user_id, place.asking_thread, 0, question.text, sent_before=question.asked_at
    )
    gather_ms = (time.perf_counter() - started) * 1000
    ranked = [hit.id for hit in gathered.memories]
    if not ranked:
        raise LookupError("nothing was retrieved, though the conversation was indexed")
    gold = [place.stored_id[message] for message in question.evidence]
    scores = ranking_scores(ranked, gold)
    # A session is where the first of its messages is.
    sessions = dict.fromkeys(place.session[found] for found in ranked if found in place.session)
    by_session = ranking_scores(list(sessions), [place.session[message] for message in gold])
    scores |= {f"session_{name}": score for name, score in by_session.items()}
    first = next((rank for rank, found in enumerate(ranked, 1) if found in gold), None)
    named = {stored: name for name, stored in place.stored_id.items()}
    return _columns(question, texts, scores) | {
        "found": [named.get(found, found) for found in ranked],
        "first_rank": first,
        "gather_ms": gather_ms,
        "tokens_shown": gathered.tokens.get("memories", 0),
        "left_out": gathered.left_out.get("memories", 0),
    }


def _columns(question: Question, texts: dict[str, str], scores: dict[str, float]) -> Row:
    evidence = [texts[message] for message in question.evidence]
    return {
        "thread": question.thread,
        "category": question.category,
        "words": "shared" if shared_stems(question.text, evidence) else "none",
        "question": question.text,
        "gold": list(question.evidence),
        "found": [],
        "first_rank": None,
        "gather_ms": None,
        "tokens_shown": None,
        "left_out": None,
        **scores,
    }


def _latencies(rows: pl.DataFrame) -> dict[str, Figure]:
    return latency_figures(first_repeat(rows), "gather_ms", "gather")


def _figures(rows: pl.DataFrame) -> dict[str, Figure]:
    figures = mean_figures(rows, METRICS)
    for words in ("none", "shared"):
        part = rows.filter(pl.col("words") == words)
        if part.height:
            figures[f"recall@10_words_{words}"] = mean_figures(part, ["recall@10"])["recall@10"]
    for (category,), part in rows.group_by("category", maintain_order=True):
        means = mean_figures(part, BY_CATEGORY)
        figures |= {f"{name}_{category}": mean for name, mean in means.items()}
    answered = rows.filter(pl.col("error").is_null())
    figures |= mean_figures(answered, ["tokens_shown"], "tokens")
    return figures | failure_figure(rows)
