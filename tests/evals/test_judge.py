import re

import pytest

from evals.datasets.cases import JudgeExample
from evals.datasets.loader import load_pipeline
from evals.judge import Judge, JudgeFailed
from evals.judge_agreement import judge_agreement
from harness.errors import HarnessError
from harness.settings import Settings

KEY = "sk-a-key-nobody-may-see"


@pytest.fixture
def server(judge_server):
    return judge_server


@pytest.fixture
async def judge(server):
    async with Judge(Settings(judge="strict-one", judge_base_url=server.url)) as opened:
        yield opened


async def test_a_verdict_has_a_reason_and_rests_on_rubric_question_and_answer(judge, server):
    server.decide = lambda asked: server.verdict("three legs" in asked)
    given = await judge.verdict("It names a stool.", "What has three legs?", "A stool.")
    assert given.met
    assert given.reason == "it says so"
    [asked] = server.requests
    text = asked["messages"][-1]["content"]
    assert all(part in text for part in ("It names a stool.", "What has three legs?", "A stool."))
    assert (asked["model"], asked["temperature"]) == ("strict-one", 0)
    assert asked["response_format"]["json_schema"]["schema"]["additionalProperties"] is False


async def test_a_server_without_schemas_is_asked_freely_and_only_refuses_once(judge, server):
    server.refuses_schemas = True
    server.decide = lambda _: f"Let me see.\n```json\n{server.verdict(False)}\n```"
    for _ in range(2):
        assert not (await judge.verdict("It is.", "?", "!")).met
    assert ["response_format" in asked for asked in server.requests] == [True, False, False]


async def test_words_that_are_no_verdict_are_none(judge, server):
    server.decide = lambda _: "I would say it is rather good."
    with pytest.raises(JudgeFailed, match=r"gave no verdict but .*rather good"):
        await judge.verdict("It is.", "?", "!")


async def test_the_judges_own_address_and_key_are_one_pair(server):
    settings = Settings(
        judge="strict-one",
        judge_base_url=server.url,
        openai_base_url="http://127.0.0.1:9/v1",
        openai_api_key=KEY,
    )
    async with Judge(settings) as judge:
        await judge.verdict("It is.", "?", "!")
    assert KEY not in server.headers[0]["authorization"]


async def test_without_an_address_of_its_own_the_judge_is_where_the_model_is(server):
    settings = Settings(judge="strict-one", openai_base_url=server.url, openai_api_key=KEY)
    async with Judge(settings) as judge:
        await judge.verdict("It is.", "?", "!")
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_judge_without_a_server_is_refused_in_one_line():
    with pytest.raises(HarnessError, match=r"judge 'strict-one' has no server.*HARNESS_JUDGE"):
        Judge(Settings(judge="strict-one"))


def examples(*labels):
    return [
        JudgeExample(id=f"j{i}", rubric="It is.", question="?", answer=f"answer {i}", met=met)
        for i, met in enumerate(labels)
    ]


def number_in(asked):
    return int(re.search(r"answer (\d+)", asked)[1])


async def test_agreement_is_counted_against_the_labels(judge, server):
    labels = [True, True, True, False, False, False, False, True]
    said = [True, True, False, False, False, False, True, True]
    server.decide = lambda asked: server.verdict(said[number_in(asked)])
    found = await judge_agreement(judge, examples(*labels))
    figures = found.figures()
    assert found.wrong == ("j2", "j6")
    assert figures["judge_agreement"].value == 0.75
    assert figures["judge_kappa"].value == pytest.approx(0.5)
    assert figures["judge_agreement"].low < 0.75 < figures["judge_agreement"].high
    assert figures["judge_silent"].value == 0


async def test_silence_agrees_with_no_label(judge, server):
    server.decide = lambda asked: server.verdict(True) if number_in(asked) else "hm"
    found = await judge_agreement(judge, examples(True, True, False, True))
    figures = found.figures()
    assert found.wrong == ("j0", "j2")
    assert figures["judge_agreement"].value == 0.5
    assert (figures["judge_silent"].value, figures["judge_silent"].n) == (1, 4)


async def test_a_judge_that_never_answers_ends_the_run_in_one_line(judge, server):
    server.failure = 401
    with pytest.raises(HarnessError, match=r"strict-one.*not today.*Check HARNESS_JUDGE"):
        await judge_agreement(judge, examples(True, False))


def test_the_own_examples_are_enough_and_of_both_kinds():
    labelled = load_pipeline("all").judge_examples
    met = sum(example.met for example in labelled)
    assert len(labelled) >= 24
    assert 0.3 < met / len(labelled) < 0.7
