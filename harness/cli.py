"""The command line: `harness …`."""

import importlib.metadata
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from harness.commands import REGISTER
from harness.errors import HarnessError

ENTRY_POINTS = "harness.commands"
EXIT_ERROR = 2  # 1 is a missed gate, objective or smoke test
_DEBUG = "HARNESS_DEBUG"


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The application with its own commands and, where they may be asked for, other packages'.

    Args:
        arguments: the command line; a command of ours needs no other package's import.
    """
    app = typer.Typer(
        name="harness",
        help="Runs and measures a chat whose answers are background jobs.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for register in REGISTER.values():
        register(app)
    if not arguments or arguments[0] not in REGISTER:
        _join_packages(app)
    return app


def _join_packages(app: typer.Typer) -> None:
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS)):
        try:
            entry.load()(app)
        except Exception as error:  # whatever ails a package, the others' commands work
            _complain(f"the commands of {entry.value} are missing: {_one_line(error)}")


def main() -> NoReturn:
    """Run the command line; errors are one line on stderr and exit 2."""
    arguments = sys.argv[1:]
    try:
        build_app(arguments)(arguments)
    except Exception as error:
        if os.environ.get(_DEBUG) == "1":
            raise
        if isinstance(error, HarnessError):
            _complain(str(error))
        elif (told := _bad_setting(error)) is not None:
            _complain(told)
        else:
            _complain(f"{_one_line(error)} (set {_DEBUG}=1 to see where)")
        sys.exit(EXIT_ERROR)
    sys.exit(0)


def _bad_setting(error: Exception) -> str | None:
    """What is wrong with an environment variable, when that is what failed."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError) or error.title != "Settings":
        return None
    first = error.errors()[0]
    field, *inside = (str(part) for part in first["loc"])
    name = field if field.isupper() else f"HARNESS_{field.upper()}"
    if inside or isinstance(first["input"], dict | list):  # which may hold secrets
        return f"{'.'.join([name, *inside])}: {first['msg']}"
    return f"{name} is {first['input']!r}: {first['msg']}"


def _one_line(error: Exception) -> str:
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _complain(text: str) -> None:
    from harness.telemetry.logs import redact

    sys.stderr.write(f"error: {redact(text)}\n")


if __name__ == "__main__":
    main()
