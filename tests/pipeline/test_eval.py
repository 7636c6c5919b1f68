"""Whole conversations are had over the stack and scored, whatever becomes of them."""

import io
import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import pytest_asyncio
from rich.console import Console

from evals.datasets.cases import PipelineCase, PipelineSet
from evals.datasets.records import DatasetInfo
from evals.judge import Judge, JudgeFailed, Verdict
from evals.plan import WHOLE, Plan
from evals.tasks import _case
from evals.tasks.pipeline import TASK, Conduct, evaluate_pipeline
from evals.tasks.pipeline_stack import without_files
from harness.services import build_services
from harness.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = 'Ask me which day suits me. [[call ask_user {"question": "Which day?"}]] [[say noted]]'
TIMINGS = ["ack_ms", "first_delta_ms", "completed_ms", "thread_id", "message_key"]


def message(text: str, *scores: dict, **given: str) -> dict:
    return {"text": text, "expect": {"scores": scores}, **given}


def says(words: str) -> dict:
    return {"scorer": "contains", "all": [words]}


def case(name: str, *messages: dict, **given: object) -> dict:
    return {"id": name, "split": "test", "category": "some", "messages": messages, **given}


def write(path: str) -> str:
    call = f'[[call write_file {{"path": "{path}", "content": "call the bank"}}]]'
    return f"Write 'call the bank' to {path}. {call} [[say done]]"


def data_of(*cases: dict) -> PipelineSet:
    return PipelineSet(
        info=DatasetInfo(name="some", sha256="0" * 64, split="test"),
        cases=tuple(PipelineCase.model_validate(each) for each in cases),
    )


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services(stack):
    async with await build_services(stack.settings) as built:
        yield built


@pytest.fixture
def evaluate(services, stack, console) -> Callable:
    async def run(data: PipelineSet, plan: Plan = WHOLE, **conduct: object):
        return await evaluate_pipeline(
            services,
            data,
            console=console,
            plan=plan,
            conduct=Conduct(**conduct),
            workspace=stack.settings.workspace_dir,
        )

    return run


def row(evaluation, sample: str) -> dict:
    [found] = evaluation.rows.filter(evaluation.rows["sample"] == sample).iter_rows(named=True)
    return found


async def test_messages_are_sent_in_turn_and_each_is_scored(evaluate):
    talk = case(
        "talk",
        message("[[say The boat is called Pelican.]]", says("Pelican")),
        message("[[say It is green now.]]", says("green"), says("red")),
    )
    evaluation = await evaluate(data_of(talk))
    first, second = row(evaluation, "talk/1"), row(evaluation, "talk/2")
    assert (first["answer"], first["score"]) == ("The boat is called Pelican.", 1)
    assert (second["answer"], second["score"], second["score_contains"]) == (
        "It is green now.", 0.5, 0.5,
    )  # fmt: skip
    assert first["thread_id"] == second["thread_id"]
    assert first["ack_ms"] < first["first_delta_ms"] <= first["completed_ms"]
    assert first["turns"] == 1
    assert first["prompt_tokens"] > 0
    assert json.loads(first["rules"])["status"] == "completed"
    figures = evaluation.document.figures
    assert figures["score"].value == 0.75
    assert figures["completed"].value == 1
    assert evaluation.document.simulated
    assert evaluation.document.command == TASK


async def test_what_a_question_is_replied_is_written_in_the_case(evaluate):
    tool = {"scorer": "tools", "names": ["ask_user"]}
    asked = case("asked", message(ASK, tool, says("noted"), reply="Friday."))
    found = row(await evaluate(data_of(asked)), "asked/1")
    assert found["tool_success"] == 1
    assert [(each["name"], each["status"]) for each in found["calls"]] == [
        ("ask_user", "succeeded")
    ]
    assert "Friday." in found["calls"][0]["result"]
    assert "ask_user" in found["offered"]


@pytest.mark.parametrize(("reply", "status"), [("Yes.", "succeeded"), ("No.", "denied")])
async def test_files_are_there_and_an_approval_decides_what_becomes_of_them(
    evaluate, reply, status
):
    folder = f"shed-{status}"
    rules = [
        {"scorer": "tools", "names": ["write_file"], "status": status},
        {"scorer": "file", "path": f"{folder}/todo.txt", "absent": status == "denied"},
        {"scorer": "file", "path": f"{folder}/there.txt", "holds": "a saw"},
    ]
    shed = case(
        "shed",
        message(write(f"{folder}/todo.txt"), *rules, reply=reply),
        files={f"{folder}/there.txt": "a saw"},
    )
    for _ in range(2):  # the folder is as it was, also the second time
        found = row(await evaluate(data_of(shed)), "shed/1")
        assert (found["score"], found["error"]) == (1, None)


async def test_what_was_said_before_is_remembered_and_preferences_are_known(
    evaluate, services, model_requests
):
    text = "Which tuner did my piano teacher recommend? [[say Halvorsen]]"
    earlier = [
        {"role": "user", "text": "My piano teacher recommends Halvorsen.", "days_ago": 30,
         "thread": "The piano"},
        {"role": "assistant", "text": "Noted.", "days_ago": 30, "thread": "The piano"},
    ]  # fmt: skip
    recall = case(
        "recall", message(text, says("Halvorsen")), earlier=earlier, preferences={"pet": "a newt"}
    )
    found = row(await evaluate(data_of(recall)), "recall/1")
    stored = await services.store.read_message(found["message_key"])
    assert any("Halvorsen" in shown.text for shown in stored.assistant.shown)
    assert stored.assistant.thread_id == found["thread_id"]
    assert stored.assistant.context.tokens["preferences"] > 0


async def test_a_message_without_an_end_fails_it_and_those_after_it_and_frees_its_thread(
    evaluate, services
):
    slow = case(
        "slow",
        message("[[fault stall]] hello", says("hello"), {"scorer": "tools", "names": ["wait"]}),
        message("[[say hello]]", says("hello")),
    )
    fine = case("fine", message("[[say hello]]", says("hello")))
    evaluation = await evaluate(data_of(slow, fine), message_s=1)
    first, second = row(evaluation, "slow/1"), row(evaluation, "slow/2")
    assert "no end within 1 s" in first["error"]
    assert "before it had no end" in second["error"]
    assert [first["score"], second["score"], first["tool_success"]] == [0, 0, 0]
    figures = evaluation.document.figures
    assert figures["failed"].value == 2
    assert figures["completed"].value == pytest.approx(1 / 3)
    assert figures["score"].value == pytest.approx(1 / 3)
    assert await services.store.unfinished(first["thread_id"]) == []


async def test_a_case_that_can_not_be_run_keeps_all_its_rows(evaluate, monkeypatch):
    async def refused(*_, **__):
        raise RuntimeError("the store said no")

    monkeypatch.setattr(_case, "write_thread", refused)
    earlier = [{"role": "user", "text": "Hm.", "days_ago": 1}]
    broken = case(
        "broken",
        message("[[say a]]", says("a")),
        message("[[say b]]", says("b")),
        earlier=earlier,
    )
    evaluation = await evaluate(data_of(broken))
    assert evaluation.rows["sample"].to_list() == ["broken/1", "broken/2"]
    assert evaluation.rows["error"].str.contains("the store said no").all()
    assert evaluation.rows["score"].to_list() == [0, 0]


async def test_finished_cases_are_not_had_again(evaluate, tmp_path):
    data = data_of(*(case(f"c{i}", message(f"[[say {i}]]", says(str(i)))) for i in range(3)))
    plan = Plan(journals=tmp_path)
    first = await evaluate(data, plan, in_flight=1)
    [journal] = tmp_path.glob("*/rows.jsonl")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:2]) + lines[2][:40])  # as a death leaves it
    second = await evaluate(data, plan)
    kept = first.rows["message_key"].to_list()
    again = second.rows["message_key"].to_list()
    assert [mine == his for mine, his in zip(again, kept, strict=True)] == [True, True, False]
    assert second.rows.drop(TIMINGS).equals(first.rows.drop(TIMINGS))


async def test_repeats_of_a_case_are_conversations_of_their_own(evaluate):
    data = data_of(case("twice", message("[[say a]]", says("a"))))
    evaluation = await evaluate(data, Plan(repeats=2))
    assert evaluation.rows["repeat"].to_list() == [0, 1]
    assert evaluation.rows["thread_id"].n_unique() == 2


class Strict(Judge):
    """Knows what it thinks, but not of everything."""

    async def verdict(self, rubric: str, question: str, answer: str) -> Verdict:
        if "unsure" in answer:
            raise JudgeFailed("no verdict")
        return Verdict(reason="so", met="good" in answer)


async def test_rubrics_are_judged_beside_the_rules_and_silence_is_counted(evaluate, console):
    rubric = {"scorer": "rubric", "rubric": "It is good."}
    answers = ["good", "bad", "unsure"]
    data = data_of(
        *(case(name, message(f"[[say {name}]]", says(name), rubric)) for name in answers)
    )
    settings = Settings(judge="strict", judge_base_url="http://127.0.0.1:9/v1")
    async with Strict(settings) as judge:
        evaluation = await evaluate(data, judge=judge)
    assert evaluation.rows["score_rubric"].to_list() == [1, 0, None]
    assert evaluation.rows["score"].to_list() == [1, 1, 1]
    figures = evaluation.document.figures
    assert (figures["score_rubric"].value, figures["score_rubric"].n) == (0.5, 2)
    assert (figures["judge_failed"].value, figures["judge_failed"].n) == (1, 3)
    assert evaluation.document.settings["eval.judge"] == "strict"
    assert "no labelled examples" in console.file.getvalue()


async def test_without_a_judge_rubrics_have_no_score_and_a_line_says_so(evaluate, console):
    rubric = {"scorer": "rubric", "rubric": "It is good."}
    evaluation = await evaluate(data_of(case("one", message("[[say a]]", rubric))))
    assert evaluation.rows["score_rubric"].to_list() == [None]
    assert not {"score", "score_rubric"} & set(evaluation.document.figures)
    assert "1 rubric scores left out" in console.file.getvalue()


async def test_a_running_stacks_workspace_is_left_alone(console):
    data = data_of(
        case("files", message("a", says("a")), files={"shed/a.txt": "a"}),
        case("none", message("a", says("a"))),
    )
    kept = without_files(data, console)
    assert [each.id for each in kept.cases] == ["none"]
    assert kept.info.notes["left_out_with_files"] == 1
    assert "left out 1 cases" in console.file.getvalue()


@pytest.mark.parametrize("hits", [0, 1])
async def test_times_of_a_model_whose_answers_were_kept_are_no_figures(evaluate, console, hits):
    answers = SimpleNamespace(hits=hits, misses=2)
    evaluation = await evaluate(
        data_of(case("one", message("[[say a]]", says("a")))), answers=answers
    )
    figures = evaluation.document.figures
    assert (figures["answers_kept"].value, figures["answers_kept"].n) == (hits, hits + 2)
    assert figures["ack_p50_ms"].value > 0
    for name in ("first_delta_p50_ms", "first_delta_p95_ms", "completed_p50_ms"):
        assert (figures[name].value is None) is bool(hits)
    assert ("answers of the model were kept ones" in console.file.getvalue()) is bool(hits)
