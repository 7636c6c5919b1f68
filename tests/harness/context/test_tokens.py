import inspect

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.context import tokens
from harness.context._smollm2 import SmolLM2Tokens, read_metadata
from harness.context.tokens import EstimatedTokens, token_counter
from harness.errors import HarnessError
from harness.llm.fitting import Prompt
from harness.local.environment import without_ours
from harness.local.model import find_model
from harness.local.simulated._request import ChatRequest
from harness.local.supervisor import Stack
from harness.settings import LOCAL_MODEL

VARIED = [
    "The quick brown fox jumps over the lazy dog.",
    "I'll say we've won, don't you think? DON'T SHOUT!",
    "In 2024-05 it cost 1,234,567.89 and took 00:00:17.",
    "def f(x: int) -> int:\n    return x**2  # squared\n\n\n",
    '{"tool": "view_file", "arguments": {"path": "notes/übung.md", "lines": [1, 20]}}',
    "  lots   of\tspaces \r\n\r\n and \u00a0 odd \u2003 ones",
    "Die Würde des Menschen ist unantastbar. Près de l'église, où l'été s'achève.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "天地玄黄宇宙洪荒。色は匂へど散りぬるを。한국어 문장입니다.",
    "العربية עברית हिन्दी ไทย Ελληνικά",
    "😀🎉 👩‍👩‍👧 e\u0301 Ⅷ ½ ² ٣",
    "https://example.test/a/b?c=d&e=%20#f sha256:edfcdcedd0d0f05850c52ba3127b1fce70b9f89e",
    "<|im_start|>user <|endoftext|>",
    "-----======#### ****",
]


@pytest.fixture(scope="module")
def smollm2():
    return SmolLM2Tokens(find_model())


def test_an_openai_models_tokens_are_counted_with_its_own_table():
    assert token_counter("gpt-4o").count("hello world") == 2
    assert token_counter("gpt-4").count("hello world") == 2


@pytest.mark.parametrize("model", ["gpt-4o", LOCAL_MODEL, "some-model", "simulated?tokens=8"])
def test_text_that_is_no_unicode_is_counted(model):
    assert token_counter(model).count("broken \ud800 text") > 0


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4", LOCAL_MODEL, "some-model", "simulated"])
def test_no_text_takes_no_tokens(model):
    assert token_counter(model).count("") == 0


@pytest.mark.parametrize("text", VARIED)
def test_an_unknown_models_tokens_are_not_underestimated(text, smollm2):
    estimated = EstimatedTokens().count(text)
    for counter in (smollm2, token_counter("gpt-4o"), token_counter("gpt-4")):
        assert estimated >= counter.count(text)


@given(st.text(st.characters(min_codepoint=0xA0), max_size=60))
def test_what_is_not_ascii_is_estimated_by_its_bytes(text):
    assert EstimatedTokens().count(text) >= len(text.encode("utf-8", "replace"))


@given(st.text(max_size=200))
def test_a_simulated_models_tokens_are_its_servers(text):
    request = ChatRequest(model="simulated", messages=[{"role": "user", "content": text}])
    assert 0 <= token_counter("simulated").count(text) - (request.prompt_tokens - 4) <= 1


def test_the_packaged_models_tokens_are_estimated_where_its_file_is_missing(monkeypatch):
    def missing():
        raise HarnessError("no file")

    monkeypatch.setattr(tokens, "_packaged", missing)
    tokens.token_counter.cache_clear()
    try:
        assert isinstance(token_counter(LOCAL_MODEL), EstimatedTokens)
    finally:
        tokens.token_counter.cache_clear()


def test_a_file_that_is_no_model_is_named(tmp_path):
    file = tmp_path / "notes.gguf"
    file.write_text("not a model")
    with pytest.raises(HarnessError, match=r"notes\.gguf"):
        read_metadata(file)


@pytest.mark.model
async def test_the_packaged_models_tokens_are_those_of_its_server(tmp_path, smollm2):
    async with (
        Stack(tmp_path, parts=["model"], environ=without_ours()) as stack,
        httpx.AsyncClient(timeout=60) as http,
    ):
        url = stack.settings.local_model_url
        for text in [*VARIED, inspect.getsource(tokens)]:
            body = {"content": text, "add_special": False, "parse_special": False}
            answer = await http.post(f"{url.removesuffix('/v1')}/tokenize", json=body)
            assert smollm2.count(text) == len(answer.json()["tokens"]), text
        chat = [{"role": role, "content": "Is it 12?"} for role in ("system", "user")]
        answer = await http.post(
            f"{url}/chat/completions", json={"messages": chat, "max_tokens": 1}
        )
    whole = Prompt(chat, {}, answer_tokens=1).tokens(smollm2)
    assert 0 <= whole - answer.json()["usage"]["prompt_tokens"] <= 1
