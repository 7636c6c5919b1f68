"""`harness data`: which datasets there are, and where those that are missing go."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="The datasets to measure on.")


@app.callback()
def data() -> None:
    """The datasets to measure on."""


@app.command("list")
def list_datasets(
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
    ] = None,
) -> None:
    """List the project's own and the public datasets: found or not, size, licence."""
    from evals.datasets.loader import CALL_FILES, CONVERSATION_FILES, OWN, PUBLIC, TOOL_FILES

    table = Table("dataset", "what", "licence")
    table.add_column("where", overflow="fold")
    for files in (CONVERSATION_FILES, TOOL_FILES, CALL_FILES):
        for path in sorted(OWN.glob(f"*/{files[0]}")):
            table.add_row(path.parent.name, "the project's own", "MIT", _size(path.parent))
    for name, source in PUBLIC.items():
        folder = source.find(name, data_dir)
        where = _size(folder) if folder else f"not there: DIR/{name} of {source.address}"
        table.add_row(name, source.what, source.licence, where)
    Console().print(table)


def _size(folder: Path) -> str:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{total / 1e6:.1f} MB in {folder}"
