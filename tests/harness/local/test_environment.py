import pytest

from harness.local.environment import local_parts, settings_from, without_ours, without_stray_key


def test_everything_is_local_by_default():
    assert local_parts({}) == [
        "convex", "inngest", "chroma", "model", "simulated", "worker", "api",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "part"),
    [("CONVEX_URL", "convex"), ("INNGEST_BASE_URL", "inngest"), ("CHROMA_URL", "chroma")],
)
def test_a_service_placed_elsewhere_is_not_started(variable, part):
    assert part not in local_parts({variable: "https://service.example"})


def test_a_service_placed_where_it_is_anyway_is_started():
    assert "convex" in local_parts({"CONVEX_URL": "http://127.0.0.1:3210"})


def test_inngest_cloud_is_not_started_here():
    assert "inngest" not in local_parts({"INNGEST_DEV": "0"})


def test_staging_starts_only_our_own_processes():
    assert local_parts({"HARNESS_ENV": "staging"}) == ["worker", "api"]


def test_a_model_that_nothing_asks_for_is_not_started():
    assert "model" not in local_parts({"HARNESS_MODEL": "simulated"})


def test_a_model_that_is_the_fallback_is_started():
    env = {"HARNESS_MODEL": "gpt-x", "HARNESS_FALLBACK_MODEL": "smollm2-135m-instruct"}
    assert "model" in local_parts(env)


def test_settings_come_from_the_given_environment_alone(monkeypatch):
    monkeypatch.setenv("HARNESS_API_URL", "http://127.0.0.1:1")
    settings = settings_from({"CONVEX_URL": "http://127.0.0.1:2"})
    assert settings.convex_url == "http://127.0.0.1:2"
    assert settings.api_url == "http://127.0.0.1:8300"


@pytest.mark.parametrize("model", ["", "simulated?tokens=3", "smollm2-135m-instruct"])
def test_a_key_that_merely_stands_in_the_environment_is_dropped(model):
    env = without_stray_key({"OPENAI_API_KEY": "sk", "HARNESS_MODEL": model})
    assert "OPENAI_API_KEY" not in env


def test_a_key_for_a_named_model_is_kept():
    env = without_stray_key({"OPENAI_API_KEY": "sk", "HARNESS_MODEL": "gpt-x"})
    assert env["OPENAI_API_KEY"] == "sk"


def test_an_environment_for_tests_holds_nothing_of_ours():
    assert without_ours({"HARNESS_MODEL": "x", "CONVEX_URL": "y", "PATH": "/bin"}) == {
        "PATH": "/bin"
    }
