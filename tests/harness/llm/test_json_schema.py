import json

from harness.llm.json_schema import decision_messages, offered, parse_decision, response_format
from harness.llm.turn import run_turn
from harness.llm.turns import CallOutcome, PastTurn
from harness.models import ToolRequest
from harness.tools.registry import Example


async def ignore(_):
    pass


async def test_the_decision_calls_a_tool(clients, settings, spec, ask, weather_tool):
    request = ask('[[call weather {"city": "Rome"}]]', tools=[weather_tool], call_prefix="k-")
    model = spec(settings.simulated_url, protocol="json")
    result = await run_turn(clients, model, request, ignore)
    assert result.tool_calls == [
        ToolRequest(call_id="k-0", name="weather", arguments={"city": "Rome"})
    ]
    assert result.text == ""


async def test_a_decision_is_never_shown_as_text(clients, settings, spec, ask, weather_tool):
    shown = []

    async def keep(piece):
        shown.append(piece)

    request = ask('[[call weather {"city": "Rome"}]]', tools=[weather_tool])
    await run_turn(clients, spec(settings.simulated_url, protocol="json"), request, keep)
    assert shown == []


async def test_without_tools_there_is_no_decision(clients, settings, spec, ask):
    model = spec(settings.simulated_url, protocol="json")
    result = await run_turn(clients, model, ask("[[say plain]]"), ignore)
    assert result.text == "plain"
    assert result.usage.completion_tokens == 1


async def test_usage_sums_decision_and_answer(clients, settings, spec, ask, weather_tool):
    model = spec(settings.simulated_url, protocol="json")
    request = ask("[[say none]]", tools=[weather_tool])
    decided = await run_turn(clients, model, request, ignore)
    plain = await run_turn(clients, model, ask("[[say none]]"), ignore)
    assert decided.usage.prompt_tokens > plain.usage.prompt_tokens


async def test_a_small_model_answers_once_a_tool_has_run(
    clients, settings, spec, ask, weather_tool
):
    call = ToolRequest(call_id="k-0", name="weather", arguments={"city": "Rome"})
    outcome = CallOutcome(call_id="k-0", name="weather", ok=True, content='"17 degrees"')
    past = [PastTurn(calls=[call], outcomes=[outcome])]
    text = '[[call weather {"city": "Rome"}]][[then]][[call weather {"city": "Rome"}]]'
    model = spec(settings.simulated_url, protocol="json", style="small")
    request = ask(text, tools=[weather_tool], past=past)
    assert (await run_turn(clients, model, request, ignore)).tool_calls == []


def test_the_schema_allows_the_tools_or_none(weather_tool):
    schema = response_format([weather_tool])["json_schema"]["schema"]
    call, none = schema["anyOf"]
    assert call["properties"]["tool"] == {"const": "weather"}
    assert call["properties"]["arguments"] == weather_tool.parameters
    assert none["properties"] == {"tool": {"const": "none"}}


def test_a_small_model_is_offered_the_first_tool_without_what_is_optional(spec, weather_tool):
    parameters = {
        **weather_tool.parameters,
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    }
    longer = Example(request="Rome, 3 days?", arguments={"city": "Rome", "days": 3})
    tool = weather_tool.model_copy(
        update={"parameters": parameters, "examples": [*weather_tool.examples, longer]}
    )
    small = spec("http://model.test", protocol="json", style="small")
    assert offered(small, [tool, weather_tool]) == [weather_tool]
    large = spec("http://model.test", protocol="json")
    assert offered(large, [tool, weather_tool]) == [tool, weather_tool]


def test_the_examples_are_the_tools_own(spec, ask, weather_tool):
    model = spec("http://model.test", protocol="json", style="small")
    messages = decision_messages(model, ask("What about Bern?"), [weather_tool])
    answers = [json.loads(m["content"]) for m in messages if m["role"] == "assistant"]
    assert {"tool": "weather", "arguments": {"city": "Oslo"}} in answers
    assert answers[0] == {"tool": "none"}
    assert messages[-1]["content"] == "Request: What about Bern?"


def test_the_example_nearest_to_the_request_comes_last(spec, ask, weather_tool):
    model = spec("http://model.test", protocol="json", style="small")
    messages = decision_messages(model, ask("Is it raining in Bern?"), [weather_tool])
    assert messages[-3]["content"] == "Request: Is it raining in Rome?"


def test_what_is_no_decision_is_no_call():
    for text in ("", "oops", "[]", '{"tool": "none"}', '{"tool": 3}', '{"arguments": {}}'):
        assert parse_decision(text, "c") is None


def test_a_decision_that_breaks_off_is_its_calls_error():
    call = parse_decision('{"tool": "weather", "arguments": {"city": "Ro', "c")
    assert (call.name, call.arguments) == ("weather", {})
    assert "not JSON (Unterminated string starting at; character 42 of 45" in call.error
    assert parse_decision('{"tool": "none", "argu', "c") is None


async def test_a_small_model_decides_again_about_a_wrong_call(
    clients, settings, spec, ask, weather_tool
):
    call = ToolRequest(call_id="k-0", name="weather")
    wrong = CallOutcome(call_id="k-0", name="weather", ok=False, content="error", wrong=True)
    past = [PastTurn(calls=[call], outcomes=[wrong])]
    model = spec(settings.simulated_url, protocol="json", style="small")
    request = ask('[[call weather {"city": "Rome"}]]', tools=[weather_tool], past=past)
    [again] = (await run_turn(clients, model, request, ignore)).tool_calls
    assert again.arguments == {"city": "Rome"}


def test_arguments_that_are_no_object_are_the_calls_error():
    call = parse_decision('{"tool": "weather", "arguments": [1]}', "c")
    assert "not a JSON object" in call.error
