import json

import pytest
import typer
from typer.testing import CliRunner

from evals import cli
from harness.errors import HarnessError
from harness.settings import Settings


@pytest.fixture
def invoke(tmp_path, monkeypatch, use_settings):
    use_settings(monkeypatch, lambda: Settings(home=tmp_path / "home"))
    app = typer.Typer()
    cli.register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_model_that_no_setting_describes_is_one_line(invoke):
    result = invoke("eval", "calls", "--model", "gpt-none", "--no-track")
    assert isinstance(result.exception, HarnessError)
    assert "Model 'gpt-none' has no server" in str(result.exception)


def test_a_simulated_run_says_that_nothing_in_it_is_accuracy(invoke, tmp_path):
    file = tmp_path / "figures.json"
    result = invoke(
        *("eval", "calls", "--limit", 4, "--no-track", "--json", file),
        *("--model", "simulated?ttft_ms=0&itl_ms=0&tokens=4"),
    )
    assert result.exit_code == 0, result.output
    assert "no figure here is accuracy" in " ".join(result.output.split())
    written = json.loads(file.read_text())
    assert written["simulated"]
    assert {"name_accuracy", "ast_accuracy", "valid_rate", "seconds"} <= set(written["figures"])


@pytest.mark.model
def test_the_packaged_model_is_measured_and_its_answers_are_kept(invoke, tmp_path):
    arguments = ("eval", "calls", "--limit", 2, "--no-track", "--split", "tune", "--json")
    figures = []
    for name in ("first", "again"):
        result = invoke(*arguments, tmp_path / name)
        assert result.exit_code == 0, result.output
        figures.append(json.loads((tmp_path / name).read_text())["figures"])
    first, again = figures
    assert (first["cached"]["value"], again["cached"]["value"]) == (0, 2)
    for figure in ("ast_accuracy", "answer_p50_ms", "completion_tokens"):
        assert first[figure] == again[figure]
