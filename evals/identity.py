"""What makes two runs the same: their code, their configuration and their data."""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from evals.datasets.loader import DatasetInfo
from evals.figures import public_settings, versions
from harness.settings import Settings

MEASURED = ("harness", "evals")  # the packages whose code decides a figure
_ROOT = Path(__file__).parent.parent
_NOT_SOURCE = {"__pycache__", "node_modules"}
# Where things are and who may ask: a private stack has other ones each time, and no figure differs.
PLACES = {
    "home", "workspace", "api_url", "worker_url", "inngest_base_url", "inngest_dev", "convex_url",
    "chroma_url", "local_model_url", "simulated_url", "clerk_issuer", "clerk_jwks_url",
    "clerk_authorized_parties", "rate_limit", "rate_limit_url", "cors_origins", "log_level",
    "log_json",
}  # fmt: skip


def run_identity(
    task: str, settings: Settings, dataset: DatasetInfo, options: dict[str, Any]
) -> dict[str, Any]:
    """All that rows of one run have in common, as JSON values.

    Args:
        task: such as `eval retrieval`.
        settings: of the services; where they are does not count, what a file of them holds does.
        dataset: with its hash and split.
        options: of the run itself, such as how many samples.
    """
    return {
        "task": task,
        "code": code_hash(),
        "versions": versions(),
        "settings": {
            name: value for name, value in public_settings(settings).items() if name not in PLACES
        },
        "files": _setting_files(settings),
        "dataset": dataset.model_dump(),
        "options": options,
    }


def identity_key(identity: dict[str, Any]) -> str:
    """A short name that no two identities share."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def code_hash(root: Path = _ROOT) -> str:
    """One hash over names and bytes of the measured packages' files, committed or not.

    Args:
        root: the folder that holds the packages.
    """
    digest = hashlib.sha256()
    for package in MEASURED:
        for path in sorted(_sources(root / package)):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_SOURCE and name[0] != "."]
        yield from (Path(place, name) for name in files)


def _setting_files(settings: Settings) -> dict[str, str]:
    return {
        name: hashlib.sha256(value.read_bytes()).hexdigest()
        for name in type(settings).model_fields
        if isinstance(value := getattr(settings, name), Path) and value.is_file()
    }
