"""Tools: typed functions, with what a model, a user and a run need to know about them."""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from harness.errors import HarnessError
from harness.models import Effect
from harness.tools._schema import model_schema, with_choices
from harness.tools.context import ToolContext

Permission = Literal["auto", "ask", "never"]
Control = Literal["ask", "wait", "until"]
Choices = Callable[[ToolContext, str], list[str]]  # of the run and its message's text
DEFAULT_TIMEOUT_S = 30.0


class Example(BaseModel):
    """A request that the tool serves, and the arguments of the call."""

    model_config = ConfigDict(frozen=True)

    request: str
    arguments: dict[str, Any]


def example(request: str, /, **arguments: Any) -> Example:
    """A request and the arguments of its call, as short as it can be written."""
    return Example(request=request, arguments=arguments)


class ToolSpec(BaseModel):
    """What is known of a tool without running it; `parameters` is a JSON Schema."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    parameters: dict[str, Any]
    effect: Effect = Effect.READ
    permission: Permission = "auto"
    idempotent: bool = True
    timeout_s: float = DEFAULT_TIMEOUT_S
    # A tool that the run itself carries out: it asks the user, or sleeps for or until a time.
    control: Control | None = None
    examples: list[Example] = []


@dataclass(frozen=True)
class Tool:
    """A function and its spec; `choices` give the values of a property at run time."""

    spec: ToolSpec
    function: Callable[..., Any]
    arguments: type[BaseModel]
    choices: Mapping[str, Choices]


def tool(
    *,
    effect: Effect,
    permission: Permission = "auto",
    idempotent: bool = True,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    examples: list[Example],
    arguments: type[BaseModel] | None = None,
    choices: Mapping[str, Choices] | None = None,
    control: Control | None = None,
) -> Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool of its name, described by its docstring's first paragraph.

    Its parameters are the arguments (annotate them with `Field` to describe and bound them), but
    for `context`, which gets the run's `ToolContext`. A plain function runs in a thread.

    Args:
        effect: what running it does.
        permission: whether it runs by itself, asks the user first, or never runs.
        idempotent: whether running it twice does no more than once.
        timeout_s: seconds until it is given up.
        examples: requests it serves, which selection and prompts use.
        arguments: the model of the arguments, where a signature cannot say it.
        choices: for a property, what gives its possible values in a run.
        control: for a tool that the run itself carries out.

    Raises:
        HarnessError: it has no docstring, or an example does not fit its arguments.
    """

    def register(function: Callable[..., Any]) -> Tool:
        name = function.__name__
        description = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if not description:
            raise HarnessError(f"tool {name} has no docstring", "Describe it for the model.")
        model = arguments or _signature_model(function)
        for example in examples:
            _check_example(name, model, example)
        spec = ToolSpec(
            name=name,
            description=description,
            parameters=model_schema(model),
            effect=effect,
            permission=permission,
            idempotent=idempotent,
            timeout_s=timeout_s,
            control=control,
            examples=examples,
        )
        return Tool(spec, function, model, choices or {})

    return register


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


def _check_example(name: str, model: type[BaseModel], example: Example) -> None:
    try:
        model.model_validate(example.arguments)
    except ValueError as error:
        raise HarnessError(
            f"tool {name}: the arguments of its example {example.request!r} do not fit: {error}",
            "Correct the example.",
        ) from error
