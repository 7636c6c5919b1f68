"""`harness local …`: one engine alone, in the foreground."""

import os
import sys
from collections.abc import Mapping

import typer

# What follows is the engine's own command line.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    local = typer.Typer(no_args_is_help=True, help="Run one engine of the stack alone.")
    for name, command in (
        ("inngest", inngest),
        ("convex", convex),
        ("model", model),
        ("simulated", simulated),
    ):
        local.command(name, context_settings=_PASS_ON)(command)
    app.add_typer(local, name="local")


def inngest(context: typer.Context) -> None:
    """The Inngest engine: [--port P] [--db FILE] [--backoff-ms N]."""
    from harness.local.home import Home
    from harness.local.parts import inngest_command
    from harness.settings import get_settings

    settings = get_settings()
    command = inngest_command(settings, _port("inngest"), Home(settings.home).inngest_db)
    _become([*command, *context.args], {})


def model(context: typer.Context) -> None:
    """The packaged language model: [--port P] [--threads N] [--slots N] [--context-tokens N]."""
    _module("model", context)


def simulated(context: typer.Context) -> None:
    """The simulated model: [--port P] [--seed N] [--ttft-ms N] [--itl-ms N] [--tokens N] …"""
    _module("simulated", context)


def convex(context: typer.Context) -> None:
    """The Convex engine: [--functions DIR] [--port P] [--site-port P] [--db FILE].

    The admin key is in the home's keys folder.
    """
    from harness.keys import dev_key
    from harness.local.convex import admin_key, convex_command
    from harness.local.home import Home
    from harness.settings import get_settings

    settings = get_settings()
    home = Home(settings.home)
    home.prepare()
    key = dev_key(settings.home)
    env = {
        "CONVEX_ADMIN_KEY": admin_key(home),
        "CLERK_ISSUER": settings.clerk_issuer,
        "CLERK_JWKS_URL": settings.clerk_jwks_url or key.jwks_url,
    }
    _become([*convex_command(home.convex_db, _port("convex")), *context.args], env)


def _module(name: str, context: typer.Context) -> None:
    command = [sys.executable, "-m", f"harness.local.{name}", "--port", str(_port(name))]
    _become([*command, *context.args], {})


def _port(name: str) -> int:
    from harness.local.environment import url_of
    from harness.local.parts import local_port
    from harness.settings import get_settings

    return local_port(name, url_of(name, get_settings()))


def _become(command: list[str], env: Mapping[str, str]) -> None:
    # Of an option given twice the last one counts.
    sys.stdout.flush()
    os.execvpe(command[0], command, {**os.environ, **env})
