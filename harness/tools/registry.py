"""Tools: typed functions, with what a model, a user and a run need to know about them."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from harness.errors import HarnessError
from harness.models import Effect
from harness.tools._arguments import Check, WrongArguments, model_check, schema_check
from harness.tools._schema import model_schema, result_schema, with_choices
from harness.tools.context import ToolContext

Permission = Literal["auto", "ask", "never"]
Control = Literal["ask", "wait", "until"]
Choices = Callable[[ToolContext, str], list[str]]  # of the run and its message's text
DEFAULT_TIMEOUT_S = 30.0
MOST_ATTEMPTS = 5
LONGEST_BACKOFF_S = 60.0
PYTHON = "python"  # the source of the tools that are functions of this process

log = logging.getLogger(__name__)


class Retry(BaseModel):
    """How often a call is tried that gave no result; what a tool itself refuses is final.

    Attributes:
        attempts: tries altogether.
        backoff_s: seconds before the second try, doubled for each one after it; Inngest waits at
            least one.
    """

    model_config = ConfigDict(frozen=True)

    attempts: int = Field(1, ge=1, le=MOST_ATTEMPTS)
    backoff_s: float = Field(1.0, ge=1, le=LONGEST_BACKOFF_S)

    def pause_s(self, tries: int) -> float:
        """Seconds to wait after so many tries."""
        return min(self.backoff_s * 2.0 ** (tries - 1), LONGEST_BACKOFF_S)


ONCE = Retry()


class Example(BaseModel):
    """A request that the tool serves, and the arguments of the call."""

    model_config = ConfigDict(frozen=True)

    request: str
    arguments: dict[str, Any]


def example(request: str, /, **arguments: Any) -> Example:
    """A request and the arguments of its call, as short as it can be written."""
    return Example(request=request, arguments=arguments)


class ToolSpec(BaseModel):
    """What is known of a tool without running it; `parameters` and `result` are JSON Schemas."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    parameters: dict[str, Any]
    result: dict[str, Any] = {}
    effect: Effect = Effect.READ
    permission: Permission = "auto"
    idempotent: bool = True
    timeout_s: float = DEFAULT_TIMEOUT_S
    retry: Retry = ONCE
    source: str = PYTHON
    # A tool that the run itself carries out: it asks the user, or sleeps for or until a time.
    control: Control | None = None
    examples: list[Example] = []


@dataclass(frozen=True)
class Tool:
    """A function and its spec.

    Attributes:
        check: gives a call's arguments in their types, or says what is wrong with them.
        choices: give the values of a property at run time.
    """

    spec: ToolSpec
    function: Callable[..., Any]
    check: Check
    choices: Mapping[str, Choices]


def tool(
    *,
    effect: Effect,
    permission: Permission = "auto",
    idempotent: bool = True,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    retry: Retry = ONCE,
    examples: list[Example],
    arguments: type[BaseModel] | None = None,
    choices: Mapping[str, Choices] | None = None,
    control: Control | None = None,
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool of its name, described by its docstring's first paragraph.

    Its parameters are the arguments (annotate them with `Field` to describe and bound them), but
    for `context`, which gets the run's `ToolContext`; its return type is the result's. A plain
    function runs in a thread.

    Args:
        effect: what running it does.
        permission: whether it runs by itself, asks the user first, or never runs.
        idempotent: whether running it twice does no more than once.
        timeout_s: seconds until it is given up.
        retry: how often it is tried; more than once only when it is idempotent.
        examples: requests it serves, which selection and prompts use.
        arguments: the model of the arguments, where a signature cannot say it.
        choices: for a property, what gives its possible values in a run.
        control: for a tool that the run itself carries out.

    Raises:
        HarnessError: it has no docstring or no return type, is to be repeated without being
            idempotent, or an example does not fit its arguments.
    """

    def register(function: Callable[..., Any]) -> Tool:
        name = function.__name__
        description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if not description:
            raise HarnessError(f"tool {name} has no docstring", "Describe it for the model.")
        if retry.attempts > 1 and not idempotent:
            raise HarnessError(
                f"tool {name} is to be tried {retry.attempts} times, and is not idempotent",
                "Declare it idempotent if repeating it does no harm, or leave its retry out.",
            )
        model = arguments or _signature_model(function)
        check = model_check(model)
        for example in examples:
            _check_example(name, check, example)
        spec = ToolSpec(
            name=name,
            description=description,
            parameters=model_schema(model),
            result=_result_schema(function),
            effect=effect,
            permission=permission,
            idempotent=idempotent,
            timeout_s=timeout_s,
            retry=retry,
            control=control,
            examples=examples,
        )
        return Tool(spec, function, check, choices or {})

    return register


def schema_tool(spec: ToolSpec, function: Callable[..., Any]) -> Tool:
    """A tool whose calls are checked against the JSON Schema of its spec.

    Raises:
        HarnessError: the spec's parameters are none.
    """
    try:
        return Tool(spec, function, schema_check(spec.parameters), {})
    except WrongArguments as error:
        raise HarnessError(f"the parameters of {spec.name}: {error}") from error


class Registry:
    """Tools by name."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.add(each)

    def add(self, added: Tool) -> None:
        """Add a tool.

        Raises:
            HarnessError: there is one of that name.
        """
        if added.spec.name in self._tools:
            raise HarnessError(f"there are two tools named {added.spec.name}", "Rename one.")
        self._tools[added.spec.name] = added

    def replace(self, source: str, tools: Iterable[Tool]) -> bool:
        """Make these the only tools of a source; a name that another source has stays that one's.

        Args:
            source: which all of the tools have.
            tools: none of them takes the source's tools away.

        Returns:
            Whether anything changed.
        """
        before = [each.spec for each in self._tools.values() if each.spec.source == source]
        for spec in before:
            del self._tools[spec.name]
        for each in tools:
            holder = self._tools.get(each.spec.name)
            if holder is None:
                self._tools[each.spec.name] = each
            else:
                log.warning(
                    "tool %s of %s is left out: %s has one of that name",
                    *(each.spec.name, source, holder.spec.source),
                )
        return before != [each.spec for each in self._tools.values() if each.spec.source == source]

    def tool(self, name: str) -> Tool | None:
        """The tool of a name, to run it."""
        return self._tools.get(name)

    def get(self, name: str) -> ToolSpec | None:
        """What is known of the tool of a name."""
        found = self._tools.get(name)
        return found.spec if found else None

    def names(self) -> list[str]:
        """Every tool's name, in the order added."""
        return list(self._tools)

    def specs(self) -> list[ToolSpec]:
        """What is known of every tool."""
        return [each.spec for each in self._tools.values()]

    async def offer(self, names: Iterable[str], context: ToolContext, text: str) -> list[ToolSpec]:
        """The specs of tools as one run's model is offered them, their choices filled in.

        Args:
            names: of the tools, best first; unknown ones are left out.
            context: of the run.
            text: the message's, which choices may be ranked by.
        """
        found = [self._tools[name] for name in names if name in self._tools]
        return await asyncio.to_thread(lambda: [_offered(each, context, text) for each in found])


def _offered(each: Tool, context: ToolContext, text: str) -> ToolSpec:
    if not each.choices:
        return each.spec
    values = {name: choose(context, text) for name, choose in each.choices.items()}
    return each.spec.model_copy(update={"parameters": with_choices(each.spec.parameters, values)})


def _signature_model(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "context"
    }
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _result_schema(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function, include_extras=True)
    if "return" not in hints:
        raise HarnessError(
            f"tool {function.__name__} has no return type", "Annotate what it gives."
        )
    return result_schema(hints["return"])


def _check_example(name: str, check: Check, example: Example) -> None:
    try:
        check(example.arguments)
    except WrongArguments as error:
        raise HarnessError(
            f"tool {name}: the arguments of its example {example.request!r} do not fit: {error}",
            "Correct the example.",
        ) from error
