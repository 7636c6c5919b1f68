"""`harness tools`: the tools that a model may be offered."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.tools.registry import ToolSpec


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tools")(tools)


def tools(
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write them with their JSON Schemas."),
    ] = None,
) -> None:
    """List the built-in tools and those of the MCP servers: effect, permission and source."""
    import json

    from harness.commands._interrupt import run
    from harness.errors import HarnessError
    from harness.settings import get_settings
    from harness.tools.catalogue import as_document, catalogue

    found = run(catalogue(get_settings()))
    if found is None:
        return
    specs, missing = found
    _print_table(specs)
    for line in missing:
        typer.echo(line, err=True)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(as_document(specs), indent=2) + "\n")
        except OSError as error:
            raise HarnessError(f"{json_file} can not be written: {error.strerror}") from error


def _print_table(specs: "list[ToolSpec]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    table = Table(box=None, pad_edge=False)
    for heading in ("tool", "effect", "permission", "repeatable", "source", "description"):
        table.add_column(heading, overflow="fold")
    for spec in specs:
        repeatable = "yes" if spec.idempotent else "no"
        table.add_row(
            *(spec.name, spec.effect.value, spec.permission, repeatable, spec.source),
            spec.description,
        )
    console.print(table)
