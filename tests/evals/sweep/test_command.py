import json
import re
from dataclasses import replace

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from evals import cli
from evals.sweep.tasks import TASKS
from evals.tracking import PARENT, connect, latest_runs, read_run
from harness.errors import HarnessError
from harness.tools.selection import ToolSelector

LEARNING = """
task = "tools"
split = "test"
limit = 12
[settings]
embedding_cache = "disk"
[grid]
exemplars = [0, 1, 2]
"""


def learning(limit):
    """A sweep whose runs no other test has measured."""
    return LEARNING.replace("limit = 12", f"limit = {limit}")


@pytest.fixture
def sweep(tracked, monkeypatch, tmp_path, use_settings):
    use_settings(monkeypatch, lambda: tracked)
    app = typer.Typer()
    cli.register(app)

    def invoke(text, *arguments):
        file = tmp_path / f"{tmp_path.name}.toml"  # names the sweep, so that tests share none
        file.write_text(text)
        return CliRunner().invoke(app, ["sweep", str(file), *map(str, arguments)])

    invoke.app = app
    return invoke


@pytest.fixture
def selected(monkeypatch):
    """Every request that a tool was selected for."""
    found = []
    select = ToolSelector.select

    async def counted(self, text, *arguments, **options):
        found.append(text)
        return await select(self, text, *arguments, **options)

    monkeypatch.setattr(ToolSelector, "select", counted)
    return found


def _run_id(result):
    return re.search(r"kept as MLflow run (\w+)", result.output)[1]


def _children(tracked, parent):
    client = connect(tracked)
    experiment = client.get_run(parent).info.experiment_id
    return client.search_runs([experiment], f"tags.`{PARENT}` = '{parent}'")


def test_runs_are_kept_under_the_sweep_with_what_they_set(sweep, tracked, tmp_path):
    file = tmp_path / "board.json"
    result = sweep(LEARNING, "--json", file)
    assert result.exit_code == 0, result.output
    assert "measured on the split test" in result.output
    parent = _run_id(result)
    children = _children(tracked, parent)
    assert {run.data.params["sweep.exemplars"] for run in children} == {"0", "1", "2"}
    assert {run.data.params["eval.limit"] for run in children} == {"12"}
    assert {run.info.status for run in children} == {"FINISHED"}
    written = json.loads(file.read_text())
    board = written["leaderboard"]
    assert {item["run_id"] for item in board} == {run.info.run_id for run in children}
    assert written["dataset"]["split"] == "test"
    best, baseline = board[0], next(item for item in board if item["number"] == 1)
    assert best["figures"]["top1"]["value"] >= baseline["figures"]["top1"]["value"]
    document, rows = read_run(tracked, parent)
    assert document.figures["top1"].value == best["figures"]["top1"]["value"]
    assert rows["name"].to_list() == [item["name"] for item in board]


def test_a_sweep_is_reported_like_any_run_and_its_runs_are_not_the_newest(sweep, tracked, tmp_path):
    parent = _run_id(sweep(LEARNING))
    page = tmp_path / "page.html"
    assert CliRunner().invoke(sweep.app, ["report", parent, "--out", str(page)]).exit_code == 0
    assert "From exemplars 0 to 2, top1 goes" in page.read_text("utf-8")
    newest = [run["run_id"] for run in latest_runs(tracked)]
    assert parent in newest
    assert not {run.info.run_id for run in _children(tracked, parent)} & set(newest)


def test_runs_that_were_measured_before_are_not_measured_again(sweep, tracked, selected):
    first = sweep(learning(4))
    assert len(selected) == 3 * 4
    again = sweep(learning(4).replace("[0, 1, 2]", "[0, 1, 2, 3]"))
    assert len(selected) == 4 * 4
    assert again.output.count("measured before") == 3
    assert len(_children(tracked, _run_id(first))) == 3
    assert len(_children(tracked, _run_id(again))) == 4
    assert sweep(learning(4), "--fresh").exit_code == 0
    assert len(selected) == 7 * 4


def test_an_interrupted_sweep_is_taken_up(sweep, tracked, selected, monkeypatch):
    measure = TASKS["tools"].measure

    async def interrupted(child, *arguments):
        if child.options["exemplars"] == 2:
            raise KeyboardInterrupt
        return await measure(child, *arguments)

    with monkeypatch.context() as patched:
        patched.setitem(TASKS, "tools", _replaced(interrupted))
        assert sweep(learning(5)).exit_code != 0
    assert len(selected) == 2 * 5
    [begun] = [
        run
        for run in connect(tracked).search_runs(
            [connect(tracked).get_experiment_by_name("sweep tools").experiment_id]
        )
        if run.info.status == "KILLED"
    ]
    result = sweep(learning(5))
    assert result.exit_code == 0, result.output
    assert len(selected) == 3 * 5
    assert _run_id(result) == begun.info.run_id
    assert connect(tracked).get_run(begun.info.run_id).info.status == "FINISHED"
    assert len(_children(tracked, begun.info.run_id)) == 3


def test_a_run_that_fails_is_a_row_with_its_reason_and_costs_no_other(
    sweep, tracked, monkeypatch, tmp_path
):
    measure = TASKS["tools"].measure

    async def failing(child, *arguments):
        if child.options["exemplars"] == 1:
            raise HarnessError("no such embedder")
        return await measure(child, *arguments)

    monkeypatch.setitem(TASKS, "tools", _replaced(failing))
    file = tmp_path / "board.json"
    result = sweep(learning(6), "--json", file)
    assert result.exit_code == 1
    assert "run 2 failed: no such embedder" in result.output
    board = json.loads(file.read_text())["leaderboard"]
    assert [item["error"] for item in board] == [None, None, "no such embedder"]
    _, rows = read_run(tracked, _run_id(result))
    assert rows.filter(pl.col("error").is_not_null())["number"].to_list() == [2]


def test_a_gate_is_held_to_the_best_run_and_what_it_gained(sweep):
    assert sweep(LEARNING, "--gate", "delta(top1) >= 0 and runs_failed == 0").exit_code == 0
    missed = sweep(LEARNING, "--gate", "top1 > 1")
    assert missed.exit_code == 1
    assert "missed: top1 is" in missed.output


def test_filters_that_leave_nothing_are_told_before_anything_runs(sweep):
    result = sweep(LEARNING.replace("limit = 12", 'filters = ["kind=none"]'))
    assert isinstance(result.exception, HarnessError)
    assert "samples have no column 'kind'" in str(result.exception)
    assert "run 1" not in result.output


def _replaced(measure):
    return replace(TASKS["tools"], measure=measure)
