"""`harness token`: a session token for the API and Convex."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("token")(token)


def token(
    user_id: Annotated[str, typer.Argument(help="Clerk user id that the token speaks for.")],
    ttl: Annotated[
        int, typer.Option("--ttl", min=1, max=86_400, help="Seconds until it expires.")
    ] = 60,
) -> None:
    """Print a Clerk-shaped session token signed with the development key."""
    from harness.keys import mint_token
    from harness.local.supervisor import running_settings
    from harness.settings import get_settings

    settings = get_settings()
    typer.echo(mint_token(running_settings(settings.home) or settings, user_id, ttl_s=ttl))
