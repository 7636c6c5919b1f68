"""The calls of a scripted model, through the production turns and a real socket."""

import json
import sys
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from evals.datasets.loader import CallCase, CallSet, DatasetInfo, load_calls
from evals.plan import Plan
from evals.tasks.calls import evaluate_calls
from harness.errors import HarnessError
from harness.llm.models import resolve_model
from harness.settings import Settings

INFO = DatasetInfo(name="few", sha256="0" * 64, split="test")
TIMINGS = ["seconds", "answer_ms", "cached"]
LAMP = {
    "name": "lamp.set",
    "description": "Set a lamp.",
    "parameters": {
        "type": "dict",
        "properties": {
            "room": {"type": "string", "description": "Room"},
            "level": {"type": "float", "description": "0 to 1"},
        },
        "required": ["room"],
    },
}
BELL = {
    "name": "ring",
    "description": "Ring a bell.",
    "parameters": {"type": "object", "properties": {}, "required": []},
}
HALL = {"lamp.set": {"room": ["hall"], "level": ["", 1]}}


def case(name, category, text, *truth, functions=(LAMP, BELL), earlier=()):
    question = ((*earlier, {"role": "user", "content": text}),)
    return CallCase(
        id=name, split="test", category=category, question=question, functions=functions,
        truth=truth,
    )  # fmt: skip


class ScriptedModel:
    """Answers by the request's last user message and how many turns of its answer have been.

    A turn is a text, or a list of calls: names with arguments or with text that is to be some.
    """

    def __init__(self, script: dict[str, list]) -> None:
        self.script = script
        self.requests: list[dict] = []
        self.refuse = 0

    async def chat(self, request):
        asked = await request.json()
        self.requests.append(asked)
        if self.refuse:
            self.refuse -= 1
            return JSONResponse({"error": {"message": "busy"}}, 429, {"retry-after": "0.01"})
        said = self.said(asked)
        events = [_text(said)] if isinstance(said, str) else [_calls(said)]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        events.append({"choices": [], "usage": usage})
        lines = [f"data: {json.dumps({'id': 'x', **event})}\n\n" for event in events]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        return StreamingResponse(iter([body]), media_type="text/event-stream")

    def said(self, asked: dict) -> str | list:
        text = [m["content"] for m in asked["messages"] if m["role"] == "user"][-1]
        turn = sum(m["role"] == "assistant" and "tool_calls" in m for m in asked["messages"])
        return self.script[text][turn]


def _text(said: str) -> dict:
    return {"choices": [{"index": 0, "delta": {"content": said}, "finish_reason": None}]}


def _calls(called: list) -> dict:
    parts = [
        {"index": i, "id": f"c{i}", "type": "function", "function": {
            "name": name,
            "arguments": given if isinstance(given, str) else json.dumps(given),
        }}
        for i, (name, given) in enumerate(called)
    ]  # fmt: skip
    return {"choices": [{"index": 0, "delta": {"tool_calls": parts}, "finish_reason": None}]}


@pytest.fixture
async def place(serving):
    """A server's address, and the model that answers there."""

    class Place:
        url = ""
        model = ScriptedModel({})

        async def chat(self, request):
            return await self.model.chat(request)

    found = Place()
    routes = [Route("/v1/chat/completions", found.chat, methods=["POST"])]
    async with serving(Starlette(routes=routes)) as url:
        found.url = f"{url}/v1"
        yield found


@pytest.fixture
def measured(place, console, tmp_path):
    """Measures cases with a scripted model; what is given goes to the task."""

    async def measure(script, *cases, protocol="native", model=None, **more):
        place.model = model or ScriptedModel(script)
        settings = Settings(
            home=tmp_path, model="scripted", openai_base_url=place.url, model_protocol=protocol,
            model_prices={"scripted": {"prompt": 100.0, "completion": 200.0}},
        )  # fmt: skip
        spec = resolve_model(None, settings)
        data = CallSet(info=INFO, cases=cases)
        evaluation = await evaluate_calls(settings, spec, data, console=console, **more)
        return evaluation, place.model

    return measure


def _row(evaluation, sample):
    return next(row for row in evaluation.rows.iter_rows(named=True) if row["sample"] == sample)


async def test_right_calls_are_right_and_wrong_ones_say_why(measured):
    evaluation, _ = await measured(
        {
            "hall": [[("lamp_set", {"room": "Hall"})]],
            "attic": [[("lamp_set", {"room": "cellar"})]],
            "bell": [[("lamp_set", {"room": "bell"})]],
        },
        case("a", "multiple", "hall", HALL),
        case("b", "multiple", "attic", {"lamp.set": {"room": ["attic"], "level": [""]}}),
        case("c", "multiple", "bell", {"ring": {}}),
    )
    scored = {
        r["sample"]: (r["name_accuracy"], r["ast_accuracy"]) for r in evaluation.rows.to_dicts()
    }
    assert scored == {"a": (1, 1), "b": (1, 0), "c": (0, 0)}
    assert "cellar" in _row(evaluation, "b")["why"]
    figures = evaluation.document.figures
    assert figures["name_accuracy"].value == pytest.approx(2 / 3)
    assert figures["ast_accuracy_multiple"].value == pytest.approx(1 / 3)
    assert {
        "valid_rate",
        "repairs",
        "answer_p50_ms",
        "answer_p95_ms",
        "prompt_tokens",
        "seconds",
    } <= set(figures)


async def test_functions_are_offered_under_names_and_types_that_models_take(measured):
    _, model = await measured(
        {"hall": [[("lamp_set", {"room": "hall"})]]}, case("a", "multiple", "hall", HALL)
    )
    offered = [tool["function"] for tool in model.requests[0]["tools"]]
    assert [each["name"] for each in offered] == ["lamp_set", "ring"]
    assert offered[0]["parameters"]["type"] == "object"
    assert offered[0]["parameters"]["properties"]["level"]["type"] == "number"


async def test_a_call_that_could_not_run_is_repaired_as_in_production(measured):
    evaluation, model = await measured(
        {"hall": [[("lamp_set", {"level": 1})], [("lamp_set", {"room": "hall"})]]},
        case("a", "multiple", "hall", HALL),
    )
    row = _row(evaluation, "a")
    assert (row["ast_accuracy"], row["valid_rate"], row["repaired_rate"]) == (1, 0, 1)
    assert (row["repairs"], row["turns"]) == (1, 2)
    told = model.requests[1]["messages"][-1]["content"]
    assert "'room' is a required property" in told
    assert "Correct it and call again" in told


async def test_calls_that_stay_wrong_are_no_calls(measured):
    broken = [("lamp_set", '{"room": "ha')]
    evaluation, _ = await measured(
        {"hall": [broken, broken, "I give up"]}, case("a", "multiple", "hall", HALL)
    )
    row = _row(evaluation, "a")
    assert (row["name_accuracy"], row["valid_rate"], row["repaired_rate"]) == (0, 0, 0)
    assert row["output"] == "[]"


async def test_where_nothing_fits_right_is_to_call_nothing(measured):
    evaluation, _ = await measured(
        {
            "why?": ["Because."],
            "how?": [[("ring", {})]],
            "who?": [[("sing", {})], "Sorry."],
            "ring": [[("ring", {})]],
        },
        case("a", "irrelevance", "why?"),
        case("b", "irrelevance", "how?"),
        case("c", "irrelevance", "who?"),
        case("d", "live_relevance", "ring"),
    )
    right = {row["sample"]: row["ast_accuracy"] for row in evaluation.rows.to_dicts()}
    assert right == {"a": 1, "b": 0, "c": 0, "d": 1}
    assert _row(evaluation, "a")["said"] == "Because."


TWO = ({"lamp.set": {"room": ["hall"], "level": [""]}}, {"ring": {}})


@pytest.mark.parametrize(
    "turns",
    [
        [[("lamp_set", {"room": "hall"}), ("ring", {})], "Done."],
        [[("lamp_set", {"room": "hall"})], [("ring", {})], "Done."],
    ],
    ids=["in one turn", "one after another"],
)
async def test_several_calls_may_come_in_one_turn_or_in_several(measured, turns):
    evaluation, _ = await measured({"both": turns}, case("a", "sequence", "both", *TWO))
    row = _row(evaluation, "a")
    assert (row["ast_accuracy"], row["order_accuracy"]) == (1, 1)


async def test_a_sequence_in_another_order_has_right_calls_in_wrong_order(measured):
    turns = [[("ring", {}), ("lamp_set", {"room": "hall"})], "Done."]
    evaluation, _ = await measured({"both": turns}, case("a", "sequence", "both", *TWO))
    row = _row(evaluation, "a")
    assert (row["name_accuracy"], row["ast_accuracy"], row["order_accuracy"]) == (1, 1, 0)


async def test_the_json_protocol_asks_for_one_call_at_a_time(measured):
    class Deciding(ScriptedModel):
        """Decides by how many results it has been told."""

        def said(self, asked):
            if "response_format" not in asked:
                return "Done."
            decisions = [
                {"tool": "lamp_set", "arguments": {"room": "hall"}},
                {"tool": "ring", "arguments": {}},
                {"tool": "none"},
            ]
            told = asked["messages"][-1]["content"].count(" gave: ")
            return json.dumps(decisions[told])

    evaluation, model = await measured(
        {}, case("a", "sequence", "both", *TWO), protocol="json", model=Deciding({})
    )
    row = _row(evaluation, "a")
    assert (row["ast_accuracy"], row["order_accuracy"]) == (1, 1), row["why"]
    assert model.requests[0]["response_format"]["type"] == "json_schema"


async def test_what_was_said_before_is_history(measured):
    earlier = (
        {"role": "user", "content": "Is it dark?"},
        {"role": "assistant", "content": "In the hall."},
    )
    _, model = await measured(
        {"Light, then": [[("lamp_set", {"room": "hall"})]]},
        case("a", "simple", "Light, then", HALL, functions=(LAMP,), earlier=earlier),
    )
    said = [(m["role"], m["content"]) for m in model.requests[0]["messages"][1:]]
    assert said == [
        ("user", "Is it dark?"), ("assistant", "In the hall."), ("user", "Light, then"),
    ]  # fmt: skip


async def test_a_case_without_an_answer_fails_and_counts_as_wrong(measured):
    evaluation, _ = await measured(
        {"hall": [[("lamp_set", {"room": "hall"})]]},
        case("a", "multiple", "hall", HALL),
        case("b", "irrelevance", "not in the script"),
    )
    figures = evaluation.document.figures
    assert (figures["failed"].value, figures["ast_accuracy"].value) == (1, 0.5)
    assert "answered 500" in _row(evaluation, "b")["error"]


async def test_a_rate_limit_is_waited_for(measured):
    model = ScriptedModel({"hall": [[("lamp_set", {"room": "hall"})]]})
    model.refuse = 1
    evaluation, _ = await measured({}, case("a", "multiple", "hall", HALL), model=model)
    assert (_row(evaluation, "a")["tries"], _row(evaluation, "a")["error"]) == (2, None)


async def test_a_second_run_takes_the_first_one_s_answers(measured, tmp_path):
    script = {
        "hall": [[("lamp_set", {"level": 2})], [("lamp_set", {"room": "hall"})]],
        "both": [[("ring", {})], [("lamp_set", {"room": "hall"})], "Done."],
    }
    cases = (case("a", "multiple", "hall", HALL), case("b", "sequence", "both", *TWO))
    plan = Plan(repeats=2)
    first, asked = await measured(script, *cases, answers=tmp_path / "answers", plan=plan)
    again, unasked = await measured({}, *cases, answers=tmp_path / "answers", plan=plan)
    assert first.rows.drop(TIMINGS).equals(again.rows.drop(TIMINGS))
    # Each repeat has an answer of its own, and its times are those of when it was made.
    assert (len(asked.requests), len(unasked.requests)) == (10, 0)
    assert first.rows["answer_ms"].to_list() == again.rows["answer_ms"].to_list()
    assert (first.rows["cached"].sum(), again.rows["cached"].sum()) == (0, 4)
    assert again.document.figures["cached"].value == 4


async def test_without_the_checker_nothing_is_asked(measured, monkeypatch):
    monkeypatch.setitem(sys.modules, "bfcl_eval.eval_checker.ast_eval", None)
    with pytest.raises(HarnessError, match="bfcl-eval, which is not installed"):
        await measured({}, case("a", "multiple", "hall", HALL))


async def test_what_it_cost_is_a_figure(measured):
    evaluation, _ = await measured(
        {"hall": [[("lamp_set", {"room": "hall"})]]}, case("a", "multiple", "hall", HALL)
    )
    assert evaluation.document.figures["cost"].value == pytest.approx((10 * 100 + 5 * 200) / 1e6)


async def test_an_interrupted_run_is_taken_up(measured, tmp_path):
    script = {"hall": [[("lamp_set", {"room": "hall"})]]}
    cases = [case(name, "multiple", "hall", HALL) for name in "abc"]
    plan = Plan(journals=tmp_path / "evals")
    first, _ = await measured(script, *cases, plan=plan)
    again, unasked = await measured({}, *cases, plan=plan)
    assert again.rows.equals(first.rows)
    assert not unasked.requests


async def test_a_simulated_model_is_labelled(simulated_model, console, tmp_path):
    async with simulated_model as settings:
        spec = resolve_model("simulated", settings)
        data = load_calls("tune")
        evaluation = await evaluate_calls(
            settings, spec, data, console=console, plan=Plan(limit=6), answers=tmp_path
        )
    assert evaluation.document.simulated
    assert evaluation.models == (spec,)
    assert evaluation.rows["error"].null_count() == 6


@pytest.fixture
def simulated_model(serving, tmp_path):
    from harness.local.simulated._profile import Profile
    from harness.local.simulated.server import create_app

    @asynccontextmanager
    async def serve():
        profile = Profile(ttft_ms=0, itl_ms=0, tokens=4, tokens_sigma=0)
        async with serving(create_app(profile, seed=1)) as url:
            yield Settings(home=tmp_path, simulated_url=f"{url}/v1")

    return serve()
