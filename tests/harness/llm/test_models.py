import pytest
from pydantic import SecretStr

from harness.llm.clients import ModelClients
from harness.llm.errors import UnknownModel
from harness.llm.models import fallbacks, resolve_model
from harness.settings import LOCAL_MODEL, Settings

REMOTE = {"model": "big", "openai_base_url": "http://models.test/v1", "openai_api_key": "sk-a"}


def make(**fields) -> Settings:
    if "openai_api_key" in fields:
        fields["openai_api_key"] = SecretStr(fields["openai_api_key"])
    return Settings(**fields)


def test_the_local_model_is_the_default_and_decides_under_a_schema():
    spec = resolve_model(None, make())
    assert (spec.name, spec.protocol, spec.style) == (LOCAL_MODEL, "json", "small")


def test_the_simulated_model_takes_parameters_behind_its_name():
    spec = resolve_model("simulated?ttft_ms=0", make())
    assert spec.simulated
    assert spec.model == "simulated?ttft_ms=0"


def test_the_named_model_gets_the_key():
    spec = resolve_model(None, make(**REMOTE))
    assert spec.base_url == "http://models.test/v1"
    assert spec.api_key.get_secret_value() == "sk-a"


@pytest.mark.parametrize("name", ["simulated", LOCAL_MODEL])
def test_a_key_that_merely_stands_there_is_not_used(name):
    spec = resolve_model(name, make(openai_api_key="sk-a", openai_base_url="http://x.test"))
    assert spec.api_key is None
    assert "x.test" not in spec.base_url


async def test_the_environments_key_does_not_reach_the_client(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-environment")
    settings = make()
    async with ModelClients(settings) as clients:
        client = clients.get(resolve_model(None, settings))
        assert "environment" not in str(client.default_headers)
        assert "environment" not in client.api_key


def test_the_protocol_of_a_remote_model_is_a_setting():
    assert resolve_model("big", make(**REMOTE)).protocol == "native"
    assert resolve_model("big", make(**REMOTE, model_protocol="json")).protocol == "json"


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UnknownModel, match=r"'other' is not configured.*simulated.*HARNESS_MODEL"):
        resolve_model("other", make())


def test_a_remote_model_needs_a_key_or_a_server():
    with pytest.raises(UnknownModel, match="OPENAI_API_KEY"):
        resolve_model("big", make(model="big"))


def test_the_fallback_is_another_model():
    settings = make(**REMOTE, fallback_model="simulated")
    assert [m.name for m in fallbacks(resolve_model(None, settings), settings)] == ["simulated"]
    assert fallbacks(resolve_model("simulated", settings), settings) == []


def test_a_remote_fallback_needs_a_remote_model_beside_it():
    settings = make(fallback_model="big", openai_api_key="sk-a")
    with pytest.raises(UnknownModel):
        fallbacks(resolve_model(None, settings), settings)
