"""The demo's requests in other words: none of these texts is in a prompt or an example."""

import io

import pytest
from rich.console import Console

from evals.demo.run import converse, fresh_workspace, recalled
from evals.demo.script import Conversation, Expectation, Turn, load
from evals.demo.stage import Stage
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.services import build_services

WANTED = 8
PARAPHRASES = [
    ("Hello there, lovely weather today and I feel rested.", Expectation()),
    ("What's inside the recipes directory?", Expectation(tools=["list_tree"], shows="soup")),
    ("Tell me the names of the files in my recipes folder.", Expectation(tools=["list_tree"])),
    (
        "Find every mention of the boiler in my files.",
        Expectation(tools=["search_text"], shows="boiler"),
    ),
    ("Does the word boiler appear anywhere in my notes?", Expectation(tools=["search_text"])),
    ("What is Ingrid allergic to?", Expectation(recalls=4, shows="walnut")),
    ("Remind me what my sister can't have on her plate.", Expectation(recalls=4)),
    (
        "Before suggesting a dessert, check with me if I want it hot or cold.",
        Expectation(tools=["ask_user"]),
    ),
    (
        "Please pause for three seconds and then say the soup is ready.",
        Expectation(tools=["wait"]),
    ),
    ("Hold on for 2 seconds before telling me dinner is served.", Expectation(tools=["wait"])),
]


@pytest.mark.model
@pytest.mark.timeout(600)
async def test_at_least_eight_of_ten_paraphrases_of_the_demo_work_as_well(tmp_path):
    turns = [Turn(text=text, expects=expects) for text, expects in PARAPHRASES]
    conversation = Conversation(title="In other words", earlier=load().earlier, messages=turns)
    shown = io.StringIO()
    env = {"HARNESS_WORKSPACE": str(fresh_workspace(tmp_path))}

    async with (
        Stack(tmp_path / "home", env=env, environ=without_ours()) as stack,
        await build_services(stack.settings) as services,
    ):
        exchanges = await converse(
            stack.settings, services, conversation, Stage(Console(file=shown))
        )

    worked = [e for e in exchanges if not e.problems(recalled(conversation, e))]
    assert len(worked) >= WANTED, shown.getvalue()
