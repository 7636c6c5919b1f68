"""`harness ui`: MLflow's pages over the kept runs."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ui")(ui)


def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where to listen.")] = 5000,
) -> None:
    """Serve MLflow's pages on this machine; they take about 20 seconds to start."""
    from harness.errors import HarnessError
    from harness.local.ports import is_free
    from harness.settings import get_settings
    from harness.telemetry.logs import redact

    if not is_free(port):
        raise HarnessError(f"port {port} is taken", "Give another one with --port")
    home = get_settings().home.resolve()
    # The same rule by which the measuring commands choose where they keep their runs.
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}"
    if store.startswith("sqlite:///") and not os.path.exists(store.removeprefix("sqlite:///")):  # noqa: PTH110
        raise HarnessError(f"there are no runs in {store}", "Run `harness eval …` or `make demo`")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    typer.echo(f"http://127.0.0.1:{port} over {redact(store)}; Ctrl-C stops it")
    env = {
        # Its job runner doubles the time to start and the memory.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    sys.stdout.flush()
    os.execve(sys.executable, command, {**os.environ, **env})
