"""What every set of the project's own must keep, whatever its kind."""

import re

import pytest
import typer
from typer.testing import CliRunner

from evals.datasets import loader
from evals.datasets.datasheet import licence_of
from evals.datasets.kinds import KINDS
from evals.datasets.loader import OWN, DatasetError
from evals.fit.command import app as fit

SETS = [
    pytest.param(kind, folder, id=folder.name)
    for folder in sorted(OWN.iterdir())
    for kind in KINDS.values()
    if kind.is_in(folder)
]


@pytest.mark.parametrize(("kind", "folder"), SETS)
def test_what_is_tuned_on_is_not_reported_on(kind, folder):
    kind.refuse_mixed(kind.parts_of(kind.read(folder)))


@pytest.mark.parametrize(("kind", "folder"), SETS)
def test_a_datasheet_says_what_it_is_in_which_version_and_under_which_licence(kind, folder):
    sheet = (folder / "DATASHEET.md").read_text("utf-8")
    for heading in ("What", "Splits", "Who and how", "Use", "Licence"):
        assert f"**{heading}.**" in sheet, heading
    assert re.search(r"^\*\*Version \d+\.\*\*", sheet, re.MULTILINE)
    assert licence_of(folder / "DATASHEET.md").startswith("MIT")


def test_retrieval_is_fitted_to_the_split_tune_alone(monkeypatch):
    asked = []

    def load(split, **_):
        asked.append(split)
        raise DatasetError("seen enough")

    monkeypatch.setattr(loader, "load_conversations", load)
    app = typer.Typer()
    app.add_typer(fit, name="fit")
    CliRunner().invoke(app, ["fit", "retrieval"])
    assert asked == ["tune"]
    assert CliRunner().invoke(app, ["fit", "retrieval", "--split", "test"]).exit_code == 2
    assert asked == ["tune"]


def test_exemplars_are_refused_beside_any_other_split_than_test():
    from evals.cli import register

    app = typer.Typer()
    register(app)
    for split in ("tune", "all"):
        asked = ["eval", "tools", "--exemplars", "3", "--split", split, "--no-track"]
        result = CliRunner().invoke(app, asked)
        assert "--exemplars are taken from the split tune" in str(result.exception)
