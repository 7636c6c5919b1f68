import pytest

from harness.llm.completion import CallFragments
from harness.llm.native import parse_calls
from harness.llm.turn import run_turn
from harness.llm.turns import CallOutcome, PastTurn


async def ignore(_):
    pass


async def test_a_call_is_put_together_from_the_stream(clients, settings, spec, ask, weather_tool):
    request = ask('[[call weather {"city": "Sankt Gallen"}]]', tools=[weather_tool])
    result = await run_turn(clients, spec(settings.simulated_url), request, ignore)
    assert [(c.name, c.arguments) for c in result.tool_calls] == [
        ("weather", {"city": "Sankt Gallen"})
    ]
    assert result.decided_by == "simulated (native)"


async def test_parallel_calls_get_ids_by_their_place(clients, settings, spec, ask, weather_tool):
    text = '[[call weather {"city": "A"}]][[call weather {"city": "B"}]]'
    request = ask(text, tools=[weather_tool], call_prefix="key-0-")
    result = await run_turn(clients, spec(settings.simulated_url), request, ignore)
    assert [c.call_id for c in result.tool_calls] == ["key-0-0", "key-0-1"]


@pytest.mark.parametrize("arguments", ['{"city": "Ro', "[1]", "null", '"Rome"'])
def test_malformed_arguments_are_the_calls_error(arguments):
    [call] = parse_calls([CallFragments(name="weather", arguments=arguments)], "c")
    assert "weather" in call.error
    assert call.arguments == {}


def test_no_arguments_at_all_are_none_given():
    [call] = parse_calls([CallFragments(name="list_all", arguments="")], "c")
    assert (call.error, call.arguments) == (None, {})


async def test_results_go_back_to_the_model(clients, settings, spec, ask, weather_tool):
    asking = ask('[[call weather {"city": "Rome"}]]', tools=[weather_tool])
    model = spec(settings.simulated_url)
    first = await run_turn(clients, model, asking, ignore)
    outcome = CallOutcome(
        call_id=first.tool_calls[0].call_id, name="weather", ok=True, content='"17 degrees"'
    )
    past = [PastTurn(text=first.text, calls=first.tool_calls, outcomes=[outcome])]
    request = ask(asking.text, tools=[weather_tool], past=past)
    second = await run_turn(clients, model, request, ignore)
    assert second.tool_calls == []
    assert "weather gave" in second.text
    assert "17 degrees" in second.text
