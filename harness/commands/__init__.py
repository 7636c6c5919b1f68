"""The commands that run the pipeline; each imports what it needs when it is called."""

from collections.abc import Callable

import typer

from harness.commands import chat, doctor, index, local, reindex, token, tools, ui, up

# By name, so that the command line knows which need no other package.
REGISTER: dict[str, Callable[[typer.Typer], None]] = {
    "up": up.register,
    "chat": chat.register,
    "doctor": doctor.register,
    "index": index.register,
    "reindex": reindex.register,
    "token": token.register,
    "local": local.register,
    "tools": tools.register,
    "ui": ui.register,
}
