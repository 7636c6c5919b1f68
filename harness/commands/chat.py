"""`harness chat`: a chat in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("chat")(chat)


def chat(
    user: Annotated[str, typer.Option("--user", help="Clerk user id to chat as.")] = "user_dev",
    thread: Annotated[
        str | None, typer.Option("--thread", help="Go on in this thread; default: a new one.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Which model answers; default: HARNESS_MODEL.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--token", envvar="HARNESS_TOKEN", help="A session token of a real Clerk."),
    ] = None,
) -> None:
    """Chat in the terminal; starts a private stack when none runs.

    Answers stream from Convex's subscription. Ctrl-C stops the answer, and outside one the chat.
    """
    import asyncio

    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    asyncio.run(_chat(console, user, thread, model, token))


async def _chat(
    console: "Console", user: str, thread: str | None, model: str | None, token: str | None
) -> None:
    from harness.client import ChatClient
    from harness.commands._conversation import Conversation, Lines
    from harness.commands._token import given_token
    from harness.local.session import find_pipeline, pipeline_or_private

    if find_pipeline() is None:
        console.print("no stack is running; starting a private one")
    async with pipeline_or_private() as pipeline:
        settings = pipeline.settings
        console.print(f"talking to {pipeline.origin} as {user}; an empty line or Ctrl-C ends")
        async with ChatClient(settings, user, token=given_token(token)) as client:
            thread_id = thread or await client.create_thread("Terminal chat")
            console.print(f"thread {thread_id}")
            with Lines() as lines:
                await Conversation(client, console, lines, thread_id, model).run()
