import json

import pytest

from evals.datasets.loader import ConversationSet, DatasetInfo, Question, Turn
from evals.fit import cross_validation
from evals.plan import Plan
from evals.tasks.retrieval import evaluate_retrieval
from harness.context.hybrid import HybridRetriever
from harness.context.ranker import Ranker
from harness.context.signals import Recipe
from harness.errors import HarnessError

FACTS = {
    "garden": ("We planted the plum tree", "Which tree did we plant?"),
    "music": ("The band rehearses on Fridays", "When does the band rehearse?"),
    "travel": ("Our train to Ghent leaves at nine", "When does the train leave?"),
}


FILLING = ["I see.", "It rained all day.", "Lunch was late."]


def made(names, filling=FILLING):
    threads, questions = {}, []
    for name in names:
        said, asked = FACTS[name]
        texts = [said, *filling]
        threads[name] = tuple(
            Turn(id=f"{name}/{n}", thread=name, role="user", text=text, sent_at=1_000 * n)
            for n, text in enumerate(texts)
        )
        for number in range(2):
            questions.append(
                Question(
                    id=f"{name}-{number}", thread=name, split="test", category="c",
                    text=asked, evidence=(f"{name}/0",), answer=said,
                )
            )  # fmt: skip
    info = DatasetInfo(name="made", sha256="0" * 64, split="all")
    return ConversationSet(info=info, threads=threads, questions=tuple(questions))


async def test_a_conversation_is_ranked_by_weights_that_saw_the_others_alone(
    services, console, monkeypatch
):
    asked = {}
    judge = cross_validation.judge

    async def judged(memory, query, relevant, scope):
        found = await judge(memory, query, relevant, scope)
        asked[id(found)] = query
        return found

    def fitted(judged, _):
        seen = {asked[id(each)] for each in judged}
        return Ranker(weights={"lexical": 1.0}, fitted_on=json.dumps(sorted(seen)))

    ranked = []
    retrieve = HybridRetriever.retrieve

    async def retrieved(self, query, k, scope):
        ranked.append((query, json.loads(self._ranker.fitted_on)))
        return await retrieve(self, query, k, scope)

    monkeypatch.setattr(cross_validation, "judge", judged)
    monkeypatch.setattr(cross_validation, "fit_ranker", fitted)
    monkeypatch.setattr(HybridRetriever, "retrieve", retrieved)
    found = await evaluate_retrieval(services, made(FACTS), console=console, cross_validated=True)
    questions = {question for _, question in FACTS.values()}
    assert len(ranked) == 6
    assert all(set(seen) == questions - {query} for query, seen in ranked)
    assert found.rows["recall@10"].to_list() == [1.0] * 6


async def test_the_record_says_that_weights_were_cross_validated_and_over_how_many_folds(
    services, console
):
    found = await evaluate_retrieval(services, made(FACTS), console=console, cross_validated=True)
    assert found.document.settings["eval.fit"] == "cv"
    assert found.document.settings["eval.folds"] == 3


async def test_times_without_the_embedding_of_the_question_are_no_figures(services, console):
    found = await evaluate_retrieval(services, made(FACTS), console=console, cross_validated=True)
    assert not [name for name in found.document.figures if name.startswith("gather")]
    assert "gather has no latency" in console.file.getvalue()


async def test_a_set_ranker_changes_nothing_of_what_is_fitted(services, console):
    data = made(FACTS)
    plain = await evaluate_retrieval(services, data, console=console, cross_validated=True)
    services.memory = services.memory.ranked_by(
        Ranker(weights={"lexical": -1.0}, recipe=Recipe(kernel={0: 1.0}, full_match=0.9))
    )
    other = await evaluate_retrieval(services, data, console=console, cross_validated=True)
    timings = ["seconds", "gather_ms"]
    assert plain.rows.drop(timings).equals(other.rows.drop(timings))


async def test_rows_of_shipped_weights_are_not_taken_for_cross_validated_ones(
    services, console, tmp_path
):
    data, plan = made(FACTS), Plan(journals=tmp_path / "journals")
    for cross_validated in (False, True):
        await evaluate_retrieval(
            services, data, console=console, plan=plan, cross_validated=cross_validated
        )
    assert len(list((tmp_path / "journals").iterdir())) == 2
    assert "resuming" not in console.file.getvalue()


async def test_two_conversations_are_too_few_and_told_before_anything_is_written(
    services, console, monkeypatch
):
    monkeypatch.setattr(services, "store", None)
    with pytest.raises(HarnessError, match="--fit cv: 2 conversations have questions"):
        await evaluate_retrieval(
            services, made(["garden", "music"]), console=console, cross_validated=True
        )


async def test_without_it_the_shipped_weights_are_measured_and_said(services, console):
    found = await evaluate_retrieval(services, made(["garden"]), console=console)
    assert found.document.settings["eval.fit"] == "shipped"
    assert "eval.folds" not in found.document.settings
    assert found.document.figures["gather_p50_ms"].value > 0


async def test_two_runs_differ_in_nothing_but_timings(services, console):
    data = made(FACTS, ["I see."] * 12)  # most score the same
    first, *others = [
        (await evaluate_retrieval(services, data, console=console, cross_validated=True)).rows.drop(
            "seconds", "gather_ms"
        )
        for _ in range(3)
    ]
    assert all(first.equals(other) for other in others)
