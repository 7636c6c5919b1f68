import json
from pathlib import Path

import pytest

from evals.figures import build_document, figure
from evals.prompts import prompt_templates
from evals.tracking import connect, keep_run
from harness.llm import json_schema, prompt, summarising
from harness.llm.models import resolve_model


@pytest.fixture(scope="module")
def small(tracked):
    return resolve_model(None, tracked)


@pytest.fixture(scope="module")
def chat(tracked):
    return resolve_model("simulated", tracked)


def texts(template):
    return "\n".join(str(message["content"]) for message in template)


def test_templates_are_what_the_pipelines_own_code_builds(chat, tracked):
    templates = prompt_templates(chat, tracked)
    answer = texts(templates["answer"])
    assert answer.startswith(prompt.SYSTEM)
    for name in ("message", "memory", "document", "summary", "preference", "earlier_answer"):
        assert f"{{{{{name}}}}}" in answer
    assert prompt.REPAIR in texts(templates["answer-after-wrong-call"])
    assert prompt.LAST in texts(templates["answer-last-turn"])
    assert summarising.ASK in texts(templates["summary"])


def test_a_model_that_decides_by_json_has_its_decisions_prompt(small, chat, tracked):
    decision = prompt_templates(small, tracked)["tool-decision"]
    assert decision[0]["content"] == json_schema.SYSTEM
    assert "{{example_request}}" in texts(decision)
    assert "tool-decision" not in prompt_templates(chat, tracked)


def test_a_run_holds_the_templates_of_the_models_that_answered(tracked, small):
    document = build_document("eval prompted", {"n": figure(1, "")}, {})
    run_id = keep_run(tracked, document, name="prompted", models=[small])
    client = connect(tracked)
    file = client.download_artifacts(run_id, "prompts/small-json/answer.json")
    kept = json.loads(Path(file).read_text("utf-8"))
    assert kept == prompt_templates(small, tracked)["answer"]
    tags = client.get_run(run_id).data.tags
    assert tags["model"] == small.name
    linked = {each["name"]: each["version"] for each in json.loads(tags["mlflow.linkedPrompts"])}
    name = "harness.small-json.answer"
    version = client.get_prompt_version(name, linked[name])
    assert version.template == kept


def test_a_template_has_a_new_version_only_when_it_changed(tracked, chat, monkeypatch):
    document = build_document("eval prompted", {"n": figure(1, "")}, {})
    client = connect(tracked)

    def version():
        keep_run(tracked, document, name="prompted", models=[chat])
        return client.get_prompt_version_by_alias("harness.chat-native.answer", "latest").version

    first = version()
    assert version() == first
    monkeypatch.setattr(prompt, "SYSTEM", "Be brief.")
    assert version() == first + 1
