"""`harness up`: the stack, until Ctrl-C."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.local.process import Echo

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    any_port: Annotated[
        bool, typer.Option("--any-port", help="Use free ports in place of the configured ones.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Keep the parts' output in their log files only.")
    ] = False,
) -> None:
    """Start the stack and keep it running until Ctrl-C.

    Services that the environment places elsewhere (CONVEX_URL, INNGEST_BASE_URL, CHROMA_URL …) are
    used there and not started here.
    """
    from rich.console import Console

    from harness.commands._interrupt import run

    run(_up(Console(highlight=False, soft_wrap=True), any_port=any_port, quiet=quiet))


async def _up(console: "Console", *, any_port: bool, quiet: bool) -> None:
    from harness.local.supervisor import Stack
    from harness.settings import get_settings

    home = get_settings().home
    echo = None if quiet else _Prefixes(console)
    console.print(f"starting in {home.resolve()}")
    try:
        async with Stack(home, free_ports=any_port, echo=echo) as stack:
            for name, url in stack.urls.items():
                console.print(f"{name:>10}  {url}")
            console.print(
                f"ready, {stack.memory_mb():.0f} MB; `harness chat` talks to it, Ctrl-C stops it"
            )
            await asyncio.Event().wait()
    finally:
        console.print("stopped")


class _Prefixes:
    """Prints every line behind its part's name."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._seen: list[str] = []

    def __call__(self, name: str) -> "Echo":
        from rich.text import Text

        self._seen.append(name)
        colour = _COLOURS[(len(self._seen) - 1) % len(_COLOURS)]

        def show(line: str) -> None:
            self._console.print(Text(f"{name:>10} │ ", colour) + Text.from_ansi(line))

        return show
