import json
import logging
import os

import polars as pl
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from evals.figures import build_document, figure
from evals.genai import trace_evaluation
from evals.genai_scorers import judge_environment, load_scorers
from evals.recorded import MessageRecord
from evals.tasks.result import Evaluation
from evals.traces import trace_id_of
from evals.tracking import connect, keep_run, newest_of_each, read_run
from harness.errors import HarnessError
from harness.models import Message

SCORERS = """
from mlflow.genai.scorers import scorer

@scorer
def words(outputs):
    return len(outputs.split())

@scorer
def polite(outputs):
    if "rude" in outputs:
        raise RuntimeError("cannot bear this")
    return "please" in outputs

@scorer
def knows(outputs, expectations):
    return "yes" if expectations["expected_response"] in outputs else "no"

nothing = 7
"""


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorers")
    (folder / "own_scorers.py").write_text(SCORERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


def record(key, question, answer):
    both = {"thread_id": "t", "sent_at": 1_700_000_000_000, "order": 0, "status": "completed"}
    return MessageRecord(
        key=key,
        user=Message(id="u", role="user", content=question, **both),
        assistant=Message(
            id="a", role="assistant", content=answer, finished_at=1_700_000_000_500, **both
        ),
    )


@pytest.fixture(scope="module")
def evaluation():
    answers = ["Yes, please", "a rude one", "please, a goat"]
    records = tuple(record(f"genai-{i}", "What?", text) for i, text in enumerate(answers))
    rows = pl.DataFrame(
        {
            "sample": ["a", "b", "c", "d"],
            "message_key": [*(each.key for each in records), None],
            "error": [None, None, None, "not sent"],
            "expected": ["Yes", "goat", "goat", "goat"],
            "exact": [1.0, 0.0, 1.0, 0.0],
        }
    )
    document = build_document("eval judged", {"exact": figure(0.5, "")}, {})
    return Evaluation(document, rows, records=records, scores=("exact",))


@pytest.fixture(scope="module")
def scored(tracked, evaluation):
    names = [f"own_scorers:{name}" for name in ("words", "polite", "knows")]
    found, run_id = trace_evaluation(tracked, evaluation, "judged", names)
    keep_run(tracked, found.document, name="judged", rows=found.rows, run_id=run_id)
    return found, run_id


def test_each_scorer_is_a_column_of_the_rows_and_a_figure_with_its_interval(scored, tracked):
    found, run_id = scored
    assert found.rows["words"].to_list() == [2.0, 3.0, 3.0, None]
    assert found.rows["knows"].to_list() == [1.0, 0.0, 1.0, 0.0]
    figures = found.document.figures
    assert figures["knows"].value == 0.5
    assert figures["knows"].low <= 0.5 <= figures["knows"].high
    document, rows = read_run(tracked, run_id)
    assert document.figures["knows"] == figures["knows"]
    assert rows["words"].to_list() == found.rows["words"].to_list()


def test_a_scorer_that_fails_on_a_row_is_a_failed_score_and_no_lost_row(scored):
    found, _ = scored
    assert found.rows["polite"].to_list() == [1.0, 0.0, 1.0, 0.0]
    assert found.rows["polite_error"].to_list() == [None, "cannot bear this", None, "not scored"]
    assert found.document.figures["polite_failed"].value == 2


def test_the_evaluation_view_finds_every_score_on_the_runs_traces(scored, tracked):
    _, run_id = scored
    client = connect(tracked)
    run = client.get_run(run_id)
    assert run.data.tags["mlflow.runType"] == "genai_evaluate"
    assert run.info.status == "FINISHED"
    found = client.search_traces(
        locations=[run.info.experiment_id], run_id=run_id, include_spans=False
    )
    said = {
        trace.info.client_request_id: {each.name: each.value for each in trace.info.assessments}
        for trace in found
    }
    assert set(said) == {"genai-0", "genai-1", "genai-2"}
    assert said["genai-0"] == {
        "exact": 1.0, "expected_response": "Yes", "words": 2, "polite": True, "knows": "yes",
    }  # fmt: skip
    assert said["genai-1"]["polite"] is None


def test_a_run_is_open_until_its_figures_are_kept(tracked, evaluation):
    _, run_id = trace_evaluation(tracked, evaluation, "open", ["own_scorers:polite"])
    assert connect(tracked).get_run(run_id).info.status == "RUNNING"
    assert run_id not in newest_of_each(tracked)


def test_own_scores_are_there_without_any_scorer(tracked, evaluation):
    found, run_id = trace_evaluation(tracked, evaluation, "unjudged")
    keys = evaluation.rows["message_key"].to_list()
    assert found.rows["trace_id"].to_list() == [key and trace_id_of(key) for key in keys]
    trace = connect(tracked).get_trace(trace_id_of("genai-0"), display=False)
    assert [each.value for each in trace.info.assessments if each.name == "exact"][-1] == 1.0
    assert connect(tracked).get_run(run_id).data.tags["mlflow.runType"] == "genai_evaluate"


def test_scoring_prints_nothing(tracked, evaluation, capfd):
    before = logging.getLogger("mlflow").level
    trace_evaluation(tracked, evaluation, "quiet", ["own_scorers:polite"])
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("mlflow").level == before


@pytest.fixture
def judging(serve):
    """A server that judges yes, and what it was asked."""
    asked = []

    async def complete(request):
        asked.append((request.headers["authorization"], await request.json()))
        content = json.dumps({"result": "yes", "rationale": "It is."})
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        return JSONResponse({**body, "choices": [choice], "usage": usage})

    served = serve(Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])]))
    return f"{served.url}/v1", asked


def test_a_judge_is_the_model_that_was_named_at_its_own_address(
    tracked, evaluation, judging, monkeypatch
):
    url, asked = judging
    monkeypatch.setenv("OPENAI_API_KEY", "stands-there")
    judged = tracked.model_copy(
        update={"judge": "strict", "judge_base_url": url, "judge_api_key": SecretStr("own")}
    )
    found, _ = trace_evaluation(judged, evaluation, "by a judge", ["RelevanceToQuery"])
    assert found.rows["relevance_to_query"].to_list() == [1.0, 1.0, 1.0, 0.0]
    assert {key for key, _ in asked} == {"Bearer own"}
    assert {body["model"] for _, body in asked} == {"strict"}
    assert os.environ["OPENAI_API_KEY"] == "stands-there"


def test_a_key_that_merely_stands_there_judges_nothing(tracked, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "stands-there")
    with pytest.raises(HarnessError, match="none is named to judge"):
        load_scorers(["RelevanceToQuery"], tracked)
    with judge_environment(tracked):
        assert "OPENAI_API_KEY" not in os.environ


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Nope", "none of MLflow's"),
        ("own_scorers:nope", "no attribute 'nope'"),
        ("own_scorers:nothing", "no scorer of MLflow"),
        ("no_module:x", "No module named"),
        ("Guidelines=[]", "no JSON object"),
        ("Guidelines", "guidelines"),
    ],
)
def test_what_is_no_scorer_is_one_line_that_names_it(tracked, name, reason):
    with pytest.raises(HarnessError) as raised:
        load_scorers([name], tracked)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_scorer_may_be_given_arguments(tracked):
    judged = tracked.model_copy(update={"judge": "strict"})
    [scorer] = load_scorers(['Guidelines={"name": "brief", "guidelines": "Be brief."}'], judged)
    assert (scorer.name, scorer.guidelines) == ("brief", "Be brief.")


def test_a_scorer_does_not_overwrite_a_column(tracked, evaluation):
    renamed = evaluation.rows.rename({"exact": "words"})
    taken = Evaluation(evaluation.document, renamed, records=evaluation.records)
    with pytest.raises(HarnessError, match="a column of this name"):
        trace_evaluation(tracked, taken, "taken", ["own_scorers:words"])
