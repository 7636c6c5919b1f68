"""The prompts of the pipeline as templates: built by its own code, of placeholders."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.context.assembly import GatheredContext
from harness.context.history import HistoryItem
from harness.context.retriever import Hit
from harness.llm import json_schema
from harness.llm.models import ModelSpec
from harness.llm.prompt import build_messages
from harness.llm.summarising import summary_messages
from harness.llm.turns import CallOutcome, PastTurn, TurnRequest
from harness.models import ThreadSummary, ToolRequest
from harness.settings import Settings
from harness.tools.registry import Example, ToolSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import PromptVersion

Template = list[dict[str, Any]]  # chat messages

_LINKED = "mlflow.linkedPrompts"  # the tag by which MLflow shows a run's prompts

_TOOL = ToolSpec(
    name="{{tool}}",
    description="{{tool_description}}",
    parameters={
        "type": "object",
        "properties": {"{{argument}}": {"type": "string"}},
        "required": ["{{argument}}"],
    },
    examples=[Example(request="{{example_request}}", arguments={"{{argument}}": "{{value}}"})],
)
_CALL = ToolRequest(call_id="{{call_id}}", name="{{tool}}", arguments={"{{argument}}": "{{value}}"})


def prompt_templates(spec: ModelSpec, settings: Settings) -> Mapping[str, Template]:
    """Every prompt that a model may be asked with, by what it is for.

    What varies stands in double braces, as MLflow's prompt registry writes it.

    Args:
        spec: the model; its protocol and style decide.
        settings: say how long a summary may be.
    """
    asked = TurnRequest(text="{{message}}", context=_context(), tools=[_TOOL])
    told = TurnRequest(asked.text, asked.context, [_TOOL], [_past(wrong=False)])
    wrong = TurnRequest(asked.text, asked.context, [_TOOL], [_past(wrong=True)])
    last = TurnRequest(asked.text, asked.context, [], [_past(wrong=False)], max_calls=0)
    built = {
        "answer": build_messages(spec, asked),
        "answer-with-results": build_messages(spec, told),
        "answer-after-wrong-call": build_messages(spec, wrong),
        "answer-last-turn": build_messages(spec, last),
        "summary": summary_messages(
            settings,
            ThreadSummary(text="{{summary}}", through_order=0, model=spec.name),
            ["> {{speaker}}: {{message}}"],
        ),
    }
    if spec.style == "small":  # which is shown a context beside a question alone
        question = TurnRequest("{{message}}?", asked.context, [_TOOL])
        built["answer-question"] = build_messages(spec, question)
    if spec.protocol == "json":
        tools = json_schema.offered(spec, [_TOOL])
        built["tool-decision"] = json_schema.decision_messages(spec, asked, tools)
    templates = {name: [dict(message) for message in messages] for name, messages in built.items()}
    return {name: each for name, each in templates.items() if _is_own(name, templates)}


def _is_own(name: str, templates: Mapping[str, Template]) -> bool:
    """Whether a template is none that stands before it under another name."""
    before = list(templates)[: list(templates).index(name)]
    return all(templates[each] != templates[name] for each in before)


def _context() -> GatheredContext:
    def hit(source: str, text: str, title: str | None = None) -> Hit:
        return Hit(
            id=source,
            source=source,
            text=text,
            score=1.0,
            why={},
            thread_id="",
            order=0,
            sent_at=0,
            role="user",
            title=title,
        )

    said = [
        HistoryItem(role="user", speaker=None, content="{{earlier_message}}", sent_at=0),
        HistoryItem(role="assistant", speaker=None, content="{{earlier_answer}}", sent_at=0),
    ]
    return GatheredContext(
        history=said,
        preferences={"{{preference}}": "{{preference_value}}"},
        summary="{{summary}}",
        memories=[hit("message", "{{memory}}")],
        documents=[hit("document", "{{document}}", "{{document_title}}")],
    )


def _past(*, wrong: bool) -> PastTurn:
    outcome = CallOutcome(
        call_id=_CALL.call_id, name=_CALL.name, ok=not wrong, content="{{result}}", wrong=wrong
    )
    return PastTurn(text="{{turn_text}}", calls=[_CALL], outcomes=[outcome])


def keep_prompts(
    client: "MlflowClient", run_id: str, models: Sequence[ModelSpec], settings: Settings
) -> None:
    """Keep the templates of the models that answered in a run.

    They are files of the run, and in MLflow's prompt registry a version each, a new one only if
    the text changed. A store without a registry keeps the files alone.

    Args:
        client: of the tracking store.
        run_id: of the run.
        models: that answered in it.
        settings: of the eval.
    """
    from mlflow.exceptions import MlflowException

    client.set_tag(run_id, "model", ", ".join(spec.name for spec in models))
    families = {f"{spec.style}-{spec.protocol}": spec for spec in models}
    linked: list[dict[str, str]] = []
    for family, spec in families.items():
        for purpose, template in prompt_templates(spec, settings).items():
            text = json.dumps(template, indent=2, ensure_ascii=False) + "\n"
            client.log_text(run_id, text, f"prompts/{family}/{purpose}.json")
            name = f"harness.{family}.{purpose}"
            with suppress(MlflowException):
                linked.append({"name": name, "version": _version(client, name, template)})
    if linked:
        client.set_tag(run_id, _LINKED, json.dumps(linked))


def _version(client: "MlflowClient", name: str, template: Template) -> str:
    """The registered version of a template, made if the newest one is another text."""
    newest = _newest(client, name)
    if newest is None or newest.template != template:
        newest = client.register_prompt(name, template)
    return str(newest.version)


def _newest(client: "MlflowClient", name: str) -> "PromptVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        newest: PromptVersion | None = client.get_prompt_version_by_alias(name, "latest")
        return newest
    except MlflowException:
        return None
