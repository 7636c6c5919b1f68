import io

import pytest
from rich.console import Console

from evals.demo.stage import Stage
from harness.models import Question


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stage(screen) -> Stage:
    return Stage(Console(file=screen, width=200))


def test_brackets_in_what_people_say_are_shown_as_they_are(stage, screen):
    stage.user("Put [[this]] and [bold]that[/] into it")

    assert "Put [[this]] and [bold]that[/] into it" in screen.getvalue()


def test_without_a_terminal_the_prepared_reply_is_given_and_the_output_says_so(
    stage, screen, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    question = Question(kind="question", prompt="Warm or [cold]?", expires_at=0)

    assert stage.ask(question, "Warm") == "Warm"
    assert "Warm or [cold]?" in screen.getvalue()
    assert "given by the demo" in screen.getvalue()
