"""How to run a Chroma server."""

import sys
from pathlib import Path

# Chroma's own switches: it sends usage data otherwise, and writes five lines for every request.
CHROMA_ENV = {"ANONYMIZED_TELEMETRY": "False", "RUST_LOG": "warn"}


def chroma_command(path: Path, port: int) -> list[str]:
    """The command that serves a Chroma database on 127.0.0.1.

    Args:
        path: the database's folder.
        port: where to listen.
    """
    # What the `chroma` script runs, without its import of the whole client: seconds and memory.
    start = "import sys; from chromadb_rust_bindings import cli; cli(['chroma', *sys.argv[1:]])"
    serve = ["run", "--path", str(path), "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-c", start, *serve]
