"""Sweeps over tasks that ask a model: each run starts the processes that read what it sets."""

import json

import pytest
import typer
from typer.testing import CliRunner

from evals import cli
from evals.tracking import PARENT, connect, read_run
from harness.errors import HarnessError
from harness.local import supervisor

SIMULATED = "simulated?ttft_ms=0&itl_ms=0&tokens=4"
CALLS = f"""
task = "calls"
limit = 4
[settings]
model = "{SIMULATED}"
[grid]
protocol = ["native", "json"]
"""
PIPELINE = f"""
task = "pipeline"
limit = 1
filters = ["category=calculation"]
metric = "completed"
[settings]
model = "{SIMULATED}"
[grid]
history_messages = [8, 2]
"""


@pytest.fixture
def sweep(tracked, monkeypatch, tmp_path, use_settings):
    use_settings(monkeypatch, lambda: tracked)
    app = typer.Typer()
    cli.register(app)

    def invoke(text):
        file = tmp_path / f"{tmp_path.name}.toml"
        file.write_text(text)
        board = tmp_path / "board.json"
        result = CliRunner().invoke(app, ["sweep", str(file), "--json", str(board)])
        return result, json.loads(board.read_text()) if board.exists() else None

    return invoke


def _children(tracked, board):
    client = connect(tracked)
    runs = [client.get_run(item["run_id"]) for item in board["leaderboard"]]
    assert len({run.data.tags[PARENT] for run in runs}) == 1
    return runs


def test_calls_are_ranked_by_protocol_with_their_latency_and_tokens(sweep, tracked):
    result, board = sweep(CALLS)
    assert result.exit_code == 0, result.output
    assert board["simulated"]
    assert {item["settings"]["protocol"] for item in board["leaderboard"]} == {"native", "json"}
    for item in board["leaderboard"]:
        assert {"ast_accuracy", "answer_p50_ms", "prompt_tokens"} <= set(item["figures"])
        assert (
            f"{SIMULATED} (simulated, {item['settings']['protocol']})"
            in (read_run(tracked, item["run_id"])[0].engines["model"])
        )
    tags = connect(tracked).get_run(_children(tracked, board)[0].data.tags[PARENT]).data.tags
    assert (tags["simulated"], tags["model"]) == ("true", SIMULATED)
    for protocol in ("native", "json"):
        assert f"(simulated, {protocol})" in tags["engines"]
    assert "SIMULATED language model" in " ".join(result.output.split())
    again, _ = sweep(CALLS)
    assert again.output.count("measured before") == 2


def test_a_model_that_no_setting_describes_costs_only_its_run(sweep):
    result, board = sweep(
        CALLS.replace("protocol", "HARNESS_MODEL")
        .replace('["native", "json"]', f'["{SIMULATED}&seed=2", "gpt-none"]')
        .replace(f'[settings]\nmodel = "{SIMULATED}"', "")
    )
    assert result.exit_code == 1
    assert [bool(item["error"]) for item in board["leaderboard"]] == [False, True]
    assert "Model 'gpt-none' has no server" in board["leaderboard"][1]["error"]


@pytest.mark.parametrize("text", [CALLS, PIPELINE], ids=["calls", "pipeline"])
def test_a_running_stack_is_refused_before_anything_runs(sweep, tracked, monkeypatch, text):
    monkeypatch.setattr(supervisor, "running_settings", lambda home: tracked)
    result, _ = sweep(text)
    assert isinstance(result.exception, HarnessError)
    assert f"a stack runs in {tracked.home}" in str(result.exception)
    assert "\n" not in str(result.exception)
    assert "run 1" not in result.output


def test_each_run_of_the_pipeline_has_a_stack_that_reads_what_it_sets(sweep, tracked):
    result, board = sweep(PIPELINE)
    assert result.exit_code == 0, result.output
    assert "a run that finds some has no latency" in " ".join(result.output.split())
    assert board["simulated"]
    client = connect(tracked)
    for item in board["leaderboard"]:
        assert {"completed", "tokens"} <= set(item["figures"])
        document, rows = read_run(tracked, item["run_id"])
        assert document.settings["history_messages"] == item["settings"]["history_messages"]
        asked = rows["prompt_tokens"] + rows["completion_tokens"]
        assert rows["tokens"].to_list() == asked.to_list()
        traces = [client.get_trace(each) for each in rows["trace_id"]]
        assert len(traces) == rows.height
    assert len(_children(tracked, board)) == 2
