"""CI's own small run: a retriever that is made worse is caught by the gate and by the comparison.

The commands are those that anybody types, over a private stack; only the ranker's file differs.
"""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from evals import cli
from harness.context.ranker import packaged_ranker
from harness.settings import Settings

# One conversation with its 32 questions. The shipped ranker finds 0.83 of their evidence; the
# gate leaves room for another ranker, and none for a broken one.
SMALL = ("--split", "tune", "--filter", "thread=rotterdam")
GATE = "recall@10 >= 0.65 and failed == 0"
pytestmark = pytest.mark.xdist_group("worse_on_purpose")  # both runs are made once


@pytest.fixture(scope="module")
def run(tracked, use_settings):
    """Runs a command with variables; those of an earlier command are gone."""
    app = typer.Typer()
    cli.register(app)
    # Both runs embed the same messages.
    always = {"HARNESS_HOME": str(tracked.home), "HARNESS_EMBEDDING_CACHE": "disk"}

    def invoke(*arguments, **variables):
        with pytest.MonkeyPatch.context() as patched:
            use_settings(patched, Settings)
            for name, value in (always | variables).items():
                patched.setenv(name, value)
            return CliRunner().invoke(app, arguments)

    return invoke


@pytest.fixture(scope="module")
def shipped(run):
    return run("eval", "retrieval", *SMALL, "--gate", GATE)


@pytest.fixture(scope="module")
def worse(run, tmp_path_factory):
    """The run of a ranker that prefers what means something else than the question."""
    ranker = packaged_ranker()
    weights = ranker.weights | {"dense": -ranker.weights["dense"]}
    file = tmp_path_factory.mktemp("worse") / "ranker.json"
    file.write_text(ranker.model_copy(update={"weights": weights}).model_dump_json())
    return run("eval", "retrieval", *SMALL, "--gate", GATE, HARNESS_RANKER=str(file))


def _run_id(result):
    return re.search(r"MLflow run (\w+)", result.output.replace("\n", " "))[1]


def test_the_shipped_retriever_passes_the_gate(shipped):
    assert shipped.exit_code == 0, shipped.output
    assert "missed" not in shipped.output


def test_a_worse_one_misses_it_and_the_clause_is_named(worse):
    assert worse.exit_code == 1, worse.output
    assert re.search(r"missed: recall@10 is 0\.\d+, wanted >= 0\.65", worse.output)
    assert "missed: failed" not in worse.output


def test_compare_says_that_the_loss_is_more_than_chance(run, shipped, worse, tmp_path):
    file = tmp_path / "compared.json"
    metrics = ("--metric", "recall@10", "--metric", "ndcg@10")
    gate = ("--gate", "delta(recall@10) > -0.02")
    result = run("compare", _run_id(shipped), _run_id(worse), *metrics, *gate, "--json", str(file))
    assert result.exit_code == 1, result.output
    assert re.search(r"B missed: delta\(recall@10\) is -0\.\d+, wanted > -0\.02", result.output)
    recall = json.loads(file.read_text())["metrics"][0]
    assert recall["high"] < 0
    assert recall["p_holm"] < 0.05
    # The set is large enough: a loss of two thirds of this one would have been seen too.
    assert recall["detectable"] < -recall["difference"] * 2 / 3


def test_compare_lets_a_retriever_pass_that_is_no_worse(run, shipped):
    same = _run_id(shipped)
    result = run("compare", same, same, "--gate", "delta(recall@10) > -0.02")
    assert result.exit_code == 0, result.output
