"""`harness reindex`: memory again, with another embedder or after it was lost."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reindex")(reindex)


def reindex(
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Its name; default: HARNESS_EMBEDDER.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Only this user's; default: everybody's.")
    ] = None,
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="At the end remove what other embedders made.")
    ] = False,
) -> None:
    """Make memory hold every message that Convex has.

    Interrupt it at any time: run again, it goes on. With another embedder, run it, set
    HARNESS_EMBEDDER for the worker and the API, and run it again with --drop-old. Documents are
    indexed again by `harness index`.
    """
    from rich.console import Console

    from harness.commands._interrupt import INTERRUPTED, run

    console = Console(highlight=False, soft_wrap=True)
    if run(_reindex(console, embedder, user, drop_old)) is None:
        console.print("interrupted; run it again to go on")
        raise typer.Exit(INTERRUPTED)


async def _reindex(
    console: "Console", embedder: str | None, user: str | None, drop_old: bool
) -> bool:
    import asyncio
    import time

    from harness.context.embeddings import build_embedder
    from harness.context.indexing import find_places
    from harness.context.indexing import reindex as index_again
    from harness.context.memory import Memory
    from harness.context.vectors import connect
    from harness.local.session import services_or_private
    from harness.progress import CountedProgress
    from harness.settings import get_settings
    from harness.store import Store

    chosen = {"embedder": embedder or get_settings().embedder}
    built = await asyncio.to_thread(build_embedder, get_settings().model_copy(update=chosen))
    try:
        async with services_or_private({"convex", "chroma"}, console.print) as settings:
            key = settings.convex_deploy_key
            async with Store(settings.convex_url, key.get_secret_value() if key else None) as store:
                memory = Memory(connect(settings.chroma_url), built)
                places = await find_places(store, user)
                total, started = sum(place.messages for place in places), time.monotonic()
                with CountedProgress(f"messages with {built.name}", total, console) as progress:
                    done = await index_again(store, memory, places, progress.advance)
                seconds = time.monotonic() - started
                dropped = await memory.drop_others(user) if drop_old else 0
    finally:
        built.close()
    console.print(
        f"{built.name}: {done.embedded} messages embedded, {done.known} there before, in "
        f"{done.threads} threads of {done.users} users; {seconds:.1f} s, "
        f"{done.embedded / max(seconds, 1e-9):.1f} embedded a second"
        + (f"; {dropped} old collections removed" if drop_old else "")
    )
    return True
