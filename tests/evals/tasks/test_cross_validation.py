import pytest

from evals.datasets.loader import ConversationSet, DatasetInfo, Question, Turn
from evals.fit import cross_validation
from evals.tasks.retrieval import evaluate_retrieval
from harness.context.ranker import Ranker
from harness.errors import HarnessError

FACTS = {
    "garden": ("We planted the plum tree", "Which tree did we plant?"),
    "music": ("The band rehearses on Fridays", "When does the band rehearse?"),
    "travel": ("Our train to Ghent leaves at nine", "When does the train leave?"),
}


def made(names):
    threads, questions = {}, []
    for name in names:
        said, asked = FACTS[name]
        texts = [said, "I see.", "It rained all day.", "Lunch was late."]
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


async def test_a_conversation_is_ranked_by_weights_fitted_on_the_others(
    services, console, monkeypatch
):
    fits = []

    def remembered(judged, fitted_on):
        fits.append([list(each.relevant) for each in judged])
        return Ranker(weights={"lexical": float(len(fits))}, fitted_on=fitted_on)

    monkeypatch.setattr(cross_validation, "fit_ranker", remembered)
    ranked_by = []
    ranked = services.memory.ranked_by
    monkeypatch.setattr(
        services.memory, "ranked_by", lambda ranker: ranked_by.append(ranker) or ranked(ranker)
    )
    found = await evaluate_retrieval(services, made(FACTS), console=console, cross_validated=True)
    assert [len(judged) for judged in fits] == [4, 4, 4], "a fold saw its own questions"
    assert [ranker.weights["lexical"] for ranker in ranked_by] == [1.0, 2.0, 3.0]
    assert found.document.settings["eval.fit"] == "cv"
    assert found.rows["recall@10"].to_list() == [1.0] * 6


async def test_two_conversations_are_too_few_and_told_in_a_line(services, console):
    with pytest.raises(HarnessError, match="--fit cv: 2 conversations have questions"):
        await evaluate_retrieval(
            services, made(["garden", "music"]), console=console, cross_validated=True
        )


async def test_without_it_the_shipped_weights_are_measured_and_said(services, console):
    found = await evaluate_retrieval(services, made(["garden"]), console=console)
    assert found.document.settings["eval.fit"] == "shipped"
