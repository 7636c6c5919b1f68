import subprocess
import sys

import pytest

import harness

PUBLIC = {
    "Ack",
    "ChatClient",
    "Example",
    "HarnessError",
    "Message",
    "Registry",
    "Services",
    "Settings",
    "Stack",
    "Status",
    "Store",
    "StreamState",
    "Subscriber",
    "Thread",
    "ToolCall",
    "Usage",
    "UserStore",
    "build_services",
    "create_api",
    "create_worker",
    "get_settings",
    "mint_token",
    "tool",
}


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    program = f"{statement}; import sys; print(' '.join(sys.modules))"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


def test_the_public_api_is_this_list():
    assert set(harness.__all__) == PUBLIC
    assert len(harness.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_can_be_imported(name):
    assert getattr(harness, name).__name__ == name
    assert name in dir(harness)


def test_a_name_that_is_not_public_is_no_attribute():
    with pytest.raises(AttributeError, match="surprise"):
        harness.surprise  # noqa: B018


def test_importing_the_package_loads_nothing_else():
    assert not {name for name in loaded_after("import harness") if name.startswith("harness.")}


def test_the_api_process_loads_neither_the_models_nor_the_memorys_code():
    heavy = {"chromadb", "onnxruntime", "openai", "mlflow"}
    assert not heavy & loaded_after("import harness.app")
