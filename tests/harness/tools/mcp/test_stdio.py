import sys
from pathlib import Path

from harness.models import Effect
from harness.settings import McpServer
from harness.tools.mcp.session import Pace
from harness.tools.registry import Registry

TIME = McpServer(command=sys.executable, args=["-m", "mcp_server_time"])


async def test_a_server_from_pypi_is_used_as_it_is(follow):
    connected = await follow(time=TIME)
    await connected.has("time_get_current_time", "time_convert_time")
    result = await connected.call(
        "time_convert_time", source_timezone="Asia/Tokyo", time="12:00", target_timezone="Etc/UTC"
    )
    assert result.ok
    assert result.value["time_difference"] == "-9.0h"
    assert result.value["target"]["datetime"].endswith("03:00:00+00:00")


async def test_its_tools_are_known_as_others_are(follow):
    connected = await follow(time=TIME)
    spec = connected.registry.get("time_convert_time")
    assert spec.source == "mcp:time"
    assert spec.parameters["required"] == ["source_timezone", "time", "target_timezone"]
    assert spec.parameters["properties"]["time"]["type"] == "string"
    assert spec.result["properties"]["time_difference"]["type"] == "string"
    assert (spec.effect, spec.permission) == (Effect.READ, "auto")


async def test_what_a_tool_refuses_is_its_error(follow):
    connected = await follow(time=TIME)
    result = await connected.call("time_get_current_time", timezone="Mars/Olympus")
    assert not result.ok
    assert "Invalid timezone" in result.error
    assert not result.passing


async def test_arguments_are_checked_against_the_servers_schema(follow, misbehaving, noted):
    connected = await follow(odd=misbehaving())
    result = await connected.call("odd_look", to="the left")
    assert "odd_look was given wrong arguments: arguments: 'at' is a required" in result.error
    assert noted("look the left") == 0


async def test_nothing_is_known_of_what_a_tool_does_unless_the_server_says(follow, misbehaving):
    connected = await follow(odd=misbehaving())
    spec = connected.registry.get("odd_sleep")
    assert (spec.effect, spec.permission, spec.idempotent, spec.retry.attempts) == (
        *(Effect.EXTERNAL, "ask", False),
        1,
    )


async def test_a_servers_process_gets_its_own_variables_and_not_ours(
    follow, misbehaving, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "ours")
    connected = await follow(odd=misbehaving(env={"TOKEN": "theirs"}))
    assert (await connected.call("odd_variable", name="TOKEN")).value == {"result": "theirs"}
    assert (await connected.call("odd_variable", name="OPENAI_API_KEY")).value == {"result": None}


async def test_a_long_result_is_cut_and_says_so(follow, misbehaving):
    connected = await follow(odd=misbehaving())
    result = await connected.call("odd_many", words=5000)
    assert "characters shown]" in result.value
    assert len(result.value) < 9000


async def test_a_call_that_takes_too_long_is_given_up_and_the_server_stays(follow, misbehaving):
    connected = await follow(odd=misbehaving(timeout_s=0.5))
    result = await connected.call("odd_sleep", seconds=60)
    assert result.error == "odd_sleep gave no result in 0.5 s"
    assert (await connected.call("odd_look", at="sea")).value == {"result": "saw sea"}


async def test_a_server_that_dies_in_a_call_is_started_again_and_the_call_is_not(
    follow, misbehaving, noted
):
    connected = await follow(odd=misbehaving())
    result = await connected.call("odd_die", word="now")
    assert not result.ok
    assert "went away during the call; its effect is unknown" in result.error
    await connected.until(lambda: noted("start") == 2)
    await connected.until(lambda: "odd_look" in connected.registry.names())
    assert noted("die now") == 1


async def test_the_tools_of_a_server_that_died_are_not_offered_until_it_is_back(
    follow, misbehaving, folder
):
    connected = await follow(odd=misbehaving(), time=TIME)
    (folder / "gone").touch()
    await connected.call("odd_die", word="now")
    await connected.has("time_get_current_time", "time_convert_time")
    gone = await connected.call("odd_look", at="sea")
    assert gone.error == "there is no tool 'odd_look' at present"
    (folder / "gone").unlink()
    await connected.until(lambda: "odd_look" in connected.registry.names())
    assert (await connected.call("odd_look", at="sea")).ok


async def test_a_tool_that_is_held_while_its_server_is_away_says_so(follow, misbehaving, folder):
    connected = await follow(odd=misbehaving())
    held = Registry([connected.registry.tool("odd_look")])
    (folder / "gone").touch()
    await connected.call("odd_die", word="now")
    await connected.has()
    connected.registry = held
    result = await connected.call("odd_look", at="sea")
    assert result.error == "the MCP server odd does not answer at present"
    assert result.passing


async def test_a_server_that_is_idle_when_it_dies_is_noticed_at_once(
    follow, misbehaving, folder, noted
):
    patient = Pace(look_s=3600, first_s=0.05, longest_s=0.05)
    connected = await follow(odd=misbehaving("--short-lived"), pace=patient)
    await connected.until(lambda: noted("start") >= 2)


async def test_what_is_no_message_on_its_stdout_is_passed_over(follow, misbehaving, caplog):
    connected = await follow(odd=misbehaving("--garbage"))
    assert (await connected.call("odd_look", at="sea")).ok
    assert caplog.text.count("sends what is no message") == 1
    assert "hello, I am a server" not in caplog.text


async def test_a_server_that_never_answers_holds_nobody_up(follow, misbehaving):
    deaf = misbehaving("--deaf")
    connected = await follow(deaf=deaf, time=TIME, wait_s=0.1)
    await connected.has("time_get_current_time", "time_convert_time")


async def test_a_server_that_never_answers_is_given_up_and_tried_again(
    follow, misbehaving, noted, caplog
):
    hasty = Pace(connect_s=2, first_s=0.05)
    connected = await follow(deaf=misbehaving("--deaf"), pace=hasty)
    await connected.until(lambda: noted("start") >= 2)
    assert "the MCP server deaf is away: it does not answer" in caplog.text


async def test_a_command_that_is_not_there_is_a_line_in_the_log(follow, caplog):
    secret = McpServer(command="/no/such/program", args=["--token=hunter2"])
    connected = await follow(none=secret)
    await connected.has()
    assert "the MCP server none is away" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_tool_that_a_server_gets_later_is_offered(follow, misbehaving):
    connected = await follow(odd=misbehaving(), pace=Pace(look_s=3600, settle_s=0.01))
    await connected.call("odd_learn", name="sing")
    await connected.until(lambda: "odd_sing" in connected.registry.names())
    assert (await connected.call("odd_sing")).value == {"result": "sing"}


async def test_an_older_server_tells_of_its_new_tools_too(follow, caplog):
    program = Path(__file__).parent / "old_server.py"
    old = McpServer(command=sys.executable, args=[str(program)])
    connected = await follow(old=old, pace=Pace(look_s=3600, settle_s=0.01))
    assert connected.registry.names() == ["old_one"]
    assert (await connected.call("old_one")).value == "done\n[left out: image/png]"
    await connected.has("old_one", "old_three")
    assert "tool two of MCP server old is left out: it is no JSON Schema" in caplog.text
