import polars as pl
import pytest

from evals.datasets.loader import (
    ConversationSet,
    DatasetInfo,
    Question,
    Turn,
    load_conversations,
)
from evals.plan import Plan
from evals.tasks.retrieval import METRICS, evaluate_retrieval


@pytest.fixture(scope="module")
def data():
    """The tuning conversation, cut to its first questions to be quick."""
    return load_conversations("tune")


@pytest.fixture
async def evaluation(services, data, console):
    return await evaluate_retrieval(services, data, console=console, plan=Plan(limit=6))


async def test_a_small_run_scores_every_metric_of_every_question(evaluation):
    assert evaluation.rows.height == 6
    assert evaluation.rows.select(METRICS).null_count().sum_horizontal().item() == 0
    assert set(METRICS) <= set(evaluation.document.figures)


async def test_found_messages_are_named_as_in_the_dataset(evaluation, data):
    known = {turn.id for turns in data.threads.values() for turn in turns}
    assert set(evaluation.rows["found"].explode()) <= known


async def test_scores_follow_from_what_was_found(evaluation):
    for row in evaluation.rows.iter_rows(named=True):
        hits = len(set(row["found"][:10]) & set(row["gold"]))
        assert row["recall@10"] == pytest.approx(hits / len(row["gold"]))
        assert row["hit@10"] == float(hits > 0)


async def test_sessions_are_ranked_by_the_first_of_their_messages(evaluation):
    for row in evaluation.rows.iter_rows(named=True):
        assert row["session_recall@10"] >= row["recall@10"] - 1e-9
        assert row["session_mrr@10"] >= row["mrr@10"] - 1e-9
        assert row["session_hit@10"] == float(row["session_recall@10"] > 0)


async def test_categories_have_figures_of_their_own(evaluation):
    for (category,), part in evaluation.rows.group_by("category"):
        figure = evaluation.document.figures[f"recall@10_{category}"]
        assert (figure.n, figure.value) == (part.height, pytest.approx(part["recall@10"].mean()))


async def test_the_record_says_which_data_and_settings(evaluation, data):
    document = evaluation.document
    assert document.dataset.sha256 == data.info.sha256
    assert document.dataset.split == "tune"
    assert document.settings["memory_hits"] == 10
    assert document.settings["eval.questions"] == 6


async def test_nothing_stays_in_memory(services, data, console):
    users = []
    index = services.memory.index

    async def watched(user_id, thread_id, messages):
        users.append(user_id)
        await index(user_id, thread_id, messages)

    services.memory.index = watched
    await evaluate_retrieval(services, data, console=console, plan=Plan(limit=1))
    assert users
    assert [await services.memory.count(user) for user in users] == [0] * len(users)


async def test_two_runs_differ_in_nothing_but_timings(services, data, console):
    timings = ["seconds", "gather_ms"]
    first = await evaluate_retrieval(services, data, console=console, plan=Plan(limit=4))
    second = await evaluate_retrieval(services, data, console=console, plan=Plan(limit=4))
    assert first.rows.drop(timings).equals(second.rows.drop(timings))


async def test_memory_that_fails_counts_as_misses_with_a_reason(services, data, console):
    async def broken(*_):
        raise ConnectionError("no answer from memory")

    services.memory.retrieve = broken
    evaluation = await evaluate_retrieval(services, data, console=console, plan=Plan(limit=3))
    assert evaluation.document.figures["failed"].value == 3
    assert evaluation.document.figures["recall@10"].value == 0
    assert evaluation.rows.filter(pl.col("error").str.contains("no answer from memory")).height == 3


async def test_memory_that_returns_nothing_is_a_failure(services, data, console):
    async def empty(*_):
        return []

    services.memory.retrieve = empty
    evaluation = await evaluate_retrieval(services, data, console=console, plan=Plan(limit=2))
    assert evaluation.rows["error"].str.contains("nothing was retrieved").all()


async def test_threads_of_a_user_share_a_memory_that_is_as_it_was_when_asked(services, console):
    def turn(thread, sent_at, text, user):
        return Turn(
            id=f"{user}-{sent_at}",
            thread=thread,
            role="user",
            text=text,
            sent_at=sent_at,
            user=user,
        )

    threads = {
        "a": (turn("a", 1000, "The kiln is at the north wall.", "ada"),),
        "b": (turn("b", 2000, "Where is the kiln?", "ada"), turn("b", 9000, "Kiln!", "ada")),
        "c": (turn("c", 1000, "The kiln is at the south wall.", "bo"),),
    }
    question = Question(
        id="q", thread="b", split="test", text="Where is the kiln?", evidence=("ada-1000",),
        asked_at=2000,
    )  # fmt: skip
    data = ConversationSet(
        info=DatasetInfo(name="made", sha256="0" * 64, split="test"),
        threads=threads,
        questions=(question,),
    )
    evaluation = await evaluate_retrieval(services, data, console=console)
    (row,) = evaluation.rows.to_dicts()
    assert row["error"] is None
    assert row["found"] == ["ada-1000"]
    assert evaluation.document.settings["eval.threads"] == 2
