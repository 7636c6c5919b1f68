"""`harness doctor`: what is configured, whether it answers, and what to do if not."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.local.diagnosis import Finding
    from harness.local.smoke import Stage


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    smoke: Annotated[
        bool,
        typer.Option("--smoke", help="Send a real message and say what happens at each stage."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    text: Annotated[
        str, typer.Option("--text", help="The message that --smoke sends.")
    ] = "Hello! Please answer in one sentence.",
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that --smoke waits for the end.")
    ] = 120.0,
    user: Annotated[str, typer.Option("--user", help="Clerk user id of --smoke.")] = "user_smoke",
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="HARNESS_TOKEN", help="A session token of a real Clerk."),
    ] = None,
) -> None:
    """Say for every part what is configured, its version, whether it answers and what to do."""
    from harness.commands._interrupt import run
    from harness.commands._token import given_token

    if smoke:
        from harness.local.smoke import run_smoke

        def show(stage: "Stage") -> None:
            if not as_json:
                typer.echo(stage.line())

        stages = run(run_smoke(user, text, timeout, given_token(token), show)) or []
        if as_json:
            _print_json([stage.as_dict() for stage in stages])
        if not stages or not all(stage.ok for stage in stages):
            raise typer.Exit(1)
        return
    from harness.local.diagnosis import examine

    findings = run(examine()) or []
    if as_json:
        _print_json([finding.as_dict() for finding in findings])
    else:
        _print_table(findings)
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)


def _print_json(value: object) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


def _print_table(findings: "list[Finding]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "configured", "version", "state", "what to do"):
        table.add_column(heading, overflow="fold")
    colours = {"ok": "green", "not running": "dim", "wrong": "red"}
    for finding in findings:
        state = Text(finding.state, colours[finding.state])
        table.add_row(finding.part, finding.configured, finding.version, state, finding.remedy)
    console.print(table)
