"""The built-in tools, called as a run calls them."""

import re

import pytest

from harness.models import Message
from harness.tools.builtin import BUILTIN
from harness.tools.registry import Registry

REGISTRY = Registry(BUILTIN)


async def test_list_tree_lists_a_folder(call):
    assert (await call("list_tree", folder="notes")).value == [
        "notes/old/",
        "notes/old/log.txt",
        "notes/tasks.md",
    ]


async def test_list_tree_lists_the_workspace_itself(call):
    assert "readme.md" in (await call("list_tree", folder=".")).value


async def test_list_tree_names_the_folders_there_are(call):
    assert (await call("list_tree", folder="cellar")).error == (
        "there is no folder 'cellar'; there are: notes, notes/old"
    )


async def test_view_file_reads_a_file(call):
    assert "boat house" in (await call("view_file", path="readme.md")).value


async def test_write_file_writes(call, root):
    result = await call("write_file", path="plans/one.md", content="sail\n")
    assert result.value == "Wrote plans/one.md (5 characters)"
    assert (root / "plans" / "one.md").read_text() == "sail\n"


def test_write_file_asks_first():
    spec = REGISTRY.get("write_file")
    assert (spec.effect, spec.permission, spec.idempotent) == ("write", "ask", False)


async def test_search_memory_finds_the_users_own_messages(call, context):
    for user_id, text in ((context.user_id, "The key is 1234"), ("other", "The key is 9999")):
        message = {"id": f"{user_id}-1", "thread_id": "t", "role": "user", "content": text}
        message |= {"sent_at": 1_700_000_000_000, "order": 0, "status": "completed"}
        await context.memory.index(user_id, "t", [Message.model_validate(message)])
    result = await call("search_memory", query="key")
    assert result.value == ["2023-11-14 user: The key is 1234"]


async def test_search_memory_can_keep_to_the_present_thread(call, context):
    for number, thread_id in enumerate([context.thread_id, "another"]):
        message = {"id": f"{context.user_id}-{number}", "thread_id": thread_id, "role": "user"}
        message |= {"content": f"The boat is in shed {number}", "sent_at": 1_700_000_000_000}
        message |= {"order": number, "status": "completed"}
        await context.memory.index(context.user_id, thread_id, [Message.model_validate(message)])
    assert len((await call("search_memory", query="boat")).value) == 2
    here = (await call("search_memory", query="boat", this_thread=True)).value
    assert here == ["2023-11-14 user: The boat is in shed 0"]


async def test_search_memory_says_when_nothing_was_said(call):
    assert (await call("search_memory", query="key")).value == ["Nothing was said about 'key'."]


async def test_remember_preference_is_kept_for_the_user(call, context):
    result = await call("remember_preference", key="Answer Length", value=" short ")
    assert result.ok
    assert await context.store.preferences(context.user_id) == {"answer_length": "short"}


@pytest.mark.parametrize("key", ["tool.write_file", " Tool.write_file", "TOOL.x", "._", "..tool.x"])
async def test_a_model_cannot_permit_itself_a_tool(call, context, key):
    result = await call("remember_preference", key=key, value="auto")
    assert not result.ok
    assert await context.store.preferences(context.user_id) == {}


async def test_list_preferences_leaves_out_what_is_permitted(call, context):
    context.store.saved[context.user_id, "tone"] = "dry"
    context.store.saved[context.user_id, "tool.write_file"] = "auto"
    assert (await call("list_preferences")).value == ["tone: dry"]


async def test_list_preferences_says_when_there_are_none(call):
    assert (await call("list_preferences")).value == ["(none)"]


async def test_forget_preference_finds_a_key_however_it_is_written(call, context):
    context.store.saved[context.user_id, "Answer Length"] = "short"
    context.store.saved["other", "answer_length"] = "long"
    assert (await call("forget_preference", key="answer length")).value == "Forgot Answer Length"
    assert context.store.saved == {("other", "answer_length"): "long"}


@pytest.mark.parametrize("key", ["tool.write_file", "Tool.Write_File", "colour"])
async def test_forget_preference_names_those_that_a_tool_may_forget(call, context, key):
    saved = {"tone": "dry", "tool.write_file": "never"}
    context.store.saved = {(context.user_id, name): value for name, value in saved.items()}
    result = await call("forget_preference", key=key)
    assert result.error == f"there is no preference {key!r}; there are: tone"
    assert len(context.store.saved) == 2


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("17 * 23", "391"),
        ("80 * 15 / 100", "12"),
        ("12.50 + 7.20 + 3", "22.7"),
        ("2 ^ 10", "1024"),
        ("-(3 + 4) * 2", "-14"),
        ("sqrt(144)", "12"),
        ("1,000 / 8", "125"),
        ("0.1 + 0.2", "0.3"),
        ("max(3, 9, 4)", "9"),
    ],
)
async def test_calculate_calculates(call, expression, result):
    assert (await call("calculate", expression=expression)).value == f"{expression} = {result}"


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "().__class__",
        "9**9**9",
        "10**10000 * 10**10000",
        "(-8) ** 0.5",
        "1e308 * 10",
        "open('x')",
        "x + 1",
        "[1] * 9",
        "'a' * 9",
        "(" * 200 + ")" * 90,
        "1 if 2 else 3",
        "",
    ],
)
async def test_calculate_refuses_what_is_no_arithmetic(call, expression):
    result = await call("calculate", expression=expression)
    assert not result.ok
    assert "unexpectedly" not in result.error


async def test_calculate_says_what_divides_by_zero(call):
    assert (await call("calculate", expression="1 / 0")).error == "'1 / 0' divides by zero"


@pytest.mark.parametrize(
    ("zone", "name"),
    [("UTC", "UTC"), ("new york", "America/New_York"), ("Europe/Berlin", "Europe/Berlin")],
)
async def test_current_time_knows_cities_and_zones(call, zone, name):
    shown = (await call("current_time", zone=zone)).value
    assert re.fullmatch(rf"\w+day, \d\d \w+ \d{{4}}, \d\d:\d\d \({name}\)", shown)


async def test_current_time_names_an_unknown_zone(call):
    assert "no time zone 'Atlantis'" in (await call("current_time", zone="Atlantis")).error


async def test_a_path_is_chosen_among_what_is_there_the_named_one_first(context):
    offered = await REGISTRY.offer(["view_file"], context, "show me my tasks")
    assert offered[0].parameters["properties"]["path"]["enum"] == [
        "notes/tasks.md",
        "notes/old/log.txt",
        "readme.md",
    ]


async def test_a_folder_is_chosen_among_those_there_are(context):
    offered = await REGISTRY.offer(["list_tree"], context, "what is in old?")
    assert offered[0].parameters["properties"]["folder"]["enum"] == ["notes/old", "notes", "."]
