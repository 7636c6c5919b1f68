"""`harness index`: a folder of documents as knowledge."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.context.knowledge import IndexedFolder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds Markdown or text files.")],
    source: Annotated[
        str | None,
        typer.Option("--source", help="What the folder is called; default: its whole path."),
    ] = None,
    globs: Annotated[
        list[str] | None,
        typer.Option("--glob", help="Which files; may be repeated. Default: *.md and *.txt."),
    ] = None,
) -> None:
    """Make a folder's Markdown and text knowledge that answers may draw on.

    Run again it takes what changed, and removes what is gone. Needs Chroma alone, and starts it
    where none runs.
    """
    from rich.console import Console

    from harness.commands._interrupt import INTERRUPTED, run
    from harness.context.folder import GLOBS, find_files

    console = Console(highlight=False, soft_wrap=True)
    patterns = globs or list(GLOBS)
    find_files(folder, patterns)  # what is wrong with them is told before anything starts
    indexed = run(_index(console, folder, source, patterns))
    if indexed is None:
        console.print("interrupted; run it again to go on")
        raise typer.Exit(INTERRUPTED)
    _print(console, folder, *indexed)
    if indexed[0].skipped:
        raise typer.Exit(1)


async def _index(
    console: "Console", folder: Path, source: str | None, globs: list[str]
) -> "tuple[IndexedFolder, float]":
    import asyncio
    import time

    from harness.context.embeddings import build_embedder
    from harness.context.knowledge import Knowledge
    from harness.context.vectors import connect
    from harness.local.session import services_or_private
    from harness.progress import CountedProgress

    async with services_or_private({"chroma"}, console.print) as settings:
        embedder = await asyncio.to_thread(build_embedder, settings)
        try:
            knowledge = Knowledge(connect(settings.chroma_url), embedder)
            started = time.monotonic()
            with CountedProgress("files", 0, console) as progress:

                def show(done: int, total: int) -> None:
                    progress.total = total
                    progress.advance(done - progress.done)

                result = await knowledge.index_folder(folder, source, globs, show)
            return result, time.monotonic() - started
        finally:
            embedder.close()


def _print(console: "Console", folder: Path, result: "IndexedFolder", seconds: float) -> None:
    for path, reason in result.skipped.items():
        console.print(f"skipped {path}: {reason}", style="yellow", markup=False)
    console.print(
        f"{folder}: {result.new} new, {result.changed} changed, {result.unchanged} unchanged, "
        f"{result.removed} removed, {len(result.skipped)} skipped; "
        f"{result.chunks} chunks written in {seconds:.1f} s",
        markup=False,
    )
