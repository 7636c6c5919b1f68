"""What `harness chaos` refuses before it starts anything."""

import typer
from typer.testing import CliRunner

from loadtest.chaos.command import chaos


def refused(*arguments):
    app = typer.Typer()
    app.command()(chaos)
    return str(CliRunner().invoke(app, arguments).exception)


def test_an_unknown_target_is_told():
    assert "--target is 'moon'; it can be engine, convex" in refused("--target", "moon")


def test_a_folder_in_use_is_not_kept_in(tmp_path):
    (tmp_path / "convex.db").touch()
    told = refused("--target", "convex", "--keep-in", str(tmp_path))
    assert told.startswith(f"--keep-in {tmp_path} is not empty")
