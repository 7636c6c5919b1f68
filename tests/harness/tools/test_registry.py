from dataclasses import replace
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from harness.errors import HarnessError
from harness.models import Effect
from harness.tools.builtin import BUILTIN
from harness.tools.context import ToolContext
from harness.tools.registry import Registry, Retry, example, tool


@tool(
    effect=Effect.EXTERNAL,
    permission="ask",
    idempotent=False,
    timeout_s=5,
    examples=[example("Send it to Ann", to="Ann", copies=1, tone="warm")],
    choices={"to": lambda context, text: ["Ann", "Bob"]},
)
def send(
    to: Annotated[str, Field(description="Who gets it", max_length=40)],
    copies: Annotated[int, Field(ge=1, le=9)] = 1,
    tone: Literal["warm", "cool"] = "warm",
    *,
    context: ToolContext,
) -> str:
    """Send the letter
    to someone.

    More for whoever reads the code.
    """
    return f"{to} {copies} {tone} {context.user_id}"


def test_a_tool_is_named_and_described_by_its_function():
    assert send.spec.name == "send"
    assert send.spec.description == "Send the letter to someone."


def test_what_it_does_to_the_world_is_in_its_spec():
    spec = send.spec
    assert (spec.effect, spec.permission, spec.idempotent, spec.timeout_s, spec.control) == (
        *(Effect.EXTERNAL, "ask", False, 5),
        None,
    )


def test_the_schema_has_every_argument_and_requires_those_without_a_default():
    assert send.spec.parameters == {
        "type": "object",
        "properties": {
            "to": {"description": "Who gets it", "type": "string"},
            "copies": {"minimum": 1, "maximum": 9, "type": "integer"},
            "tone": {"enum": ["warm", "cool"], "type": "string"},
        },
        "required": ["to"],
        "additionalProperties": False,
    }


def test_the_results_type_is_documented_as_a_schema():
    assert send.spec.result == {"type": "string"}

    class Point(BaseModel):
        x: int

    def find() -> list[Point]:
        """Find points."""

    result = tool(effect=Effect.READ, examples=[])(find).spec.result
    assert (result["type"], result["items"]) == ("array", {"$ref": "#/$defs/Point"})


def test_a_tool_without_a_return_type_is_refused():
    def find():
        """Find."""

    with pytest.raises(HarnessError, match="find has no return type"):
        tool(effect=Effect.READ, examples=[])(find)


def test_what_is_not_idempotent_is_not_to_be_repeated():
    def ring() -> None:
        """Ring."""

    with pytest.raises(HarnessError, match="ring is to be tried 2 times, and is not idempotent"):
        tool(effect=Effect.EXTERNAL, idempotent=False, retry=Retry(attempts=2), examples=[])(ring)


def test_the_pause_between_tries_doubles_up_to_a_minute():
    retry = Retry(attempts=5, backoff_s=10)
    assert [retry.pause_s(tries) for tries in (1, 2, 3, 4)] == [10, 20, 40, 60]


def test_a_sources_tools_are_replaced_together():
    registry = Registry(BUILTIN)
    there = registry.names()
    first = [_of("mcp:a", "one"), _of("mcp:a", "two")]
    assert registry.replace("mcp:a", first)
    assert not registry.replace("mcp:a", first)
    assert registry.replace("mcp:b", [_of("mcp:b", "three")])
    assert registry.replace("mcp:a", [_of("mcp:a", "two")])
    assert registry.names() == [*there, "three", "two"]
    assert registry.replace("mcp:a", [])
    assert registry.names() == [*there, "three"]


def test_a_name_that_another_source_has_stays_that_ones(caplog):
    registry = Registry([send])
    assert not registry.replace("mcp:a", [_of("mcp:a", "send")])
    assert registry.get("send") == send.spec
    assert "send of mcp:a is left out" in caplog.text


def _of(source: str, name: str):
    return replace(send, spec=send.spec.model_copy(update={"source": source, "name": name}))


def test_a_tool_without_a_docstring_is_refused():
    def nameless() -> None:
        pass

    with pytest.raises(HarnessError, match="nameless has no docstring"):
        tool(effect=Effect.READ, examples=[])(nameless)


def test_an_example_must_fit_the_arguments():
    def count(number: int) -> None:
        """Count."""

    with pytest.raises(HarnessError, match=r"count: the arguments of its example 'count!'"):
        tool(effect=Effect.READ, examples=[example("count!", number="many")])(count)


def test_arguments_may_be_a_model_of_their_own():
    class Point(BaseModel):
        x: int

    def go(**where: int) -> None:
        """Go there."""

    made = tool(effect=Effect.READ, examples=[], arguments=Point)(go)
    assert made.spec.parameters["required"] == ["x"]


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(HarnessError, match="two tools named send"):
        Registry([send, send])


def test_tools_are_found_by_name_in_the_order_added():
    registry = Registry(BUILTIN)
    registry.add(send)
    assert registry.names()[-1] == "send"
    assert registry.get("send") == send.spec
    assert registry.get("nothing") is None
    assert [spec.name for spec in registry.specs()] == registry.names()


async def test_offered_tools_take_the_choices_of_the_run(context):
    (spec,) = await Registry([send]).offer(["send", "unknown"], context, "text")
    assert spec.parameters["properties"]["to"]["enum"] == ["Ann", "Bob"]
    assert "enum" not in send.spec.parameters["properties"]["to"]


@pytest.mark.parametrize("built_in", BUILTIN, ids=lambda built_in: built_in.spec.name)
def test_built_in_tools_have_six_different_examples_with_the_required_arguments(built_in):
    required = set(built_in.spec.parameters["required"])
    plain = {each.request for each in built_in.spec.examples if set(each.arguments) == required}
    assert len(plain) >= 6
