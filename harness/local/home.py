"""The folder of one stack: its data, its keys, its logs and the lock of who runs it."""

import fcntl
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

SCHEMA_VERSION = 1
_LOCK_TRIES = 10  # whoever asks whether a stack runs holds the lock for a moment


class Home:
    """The layout of a HARNESS_HOME.

    Args:
        path: the folder; made by `prepare`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.keys = self.path / "keys"
        self.logs = self.path / "logs"
        self.convex_db = self.path / "convex.db"
        self.inngest_db = self.path / "inngest.db"
        self.chroma = self.path / "chroma"
        self._version_file = self.path / "version"
        self._stack_file = self.path / "stack.json"
        self._lock_file = self.path / "stack.lock"
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            HarnessError: the home was made by a newer version, or can't be written.
        """
        try:
            for folder in (self.path, self.logs, self.chroma):
                folder.mkdir(parents=True, exist_ok=True)
            self.keys.mkdir(mode=0o700, exist_ok=True)
            self._check_version()
        except OSError as error:
            raise HarnessError(
                f"HARNESS_HOME {self.path} can't be used: {error.strerror}",
                "Point HARNESS_HOME at a folder of yours",
            ) from error

    def _check_version(self) -> None:
        if not self._version_file.exists():
            self._version_file.write_text(f"{SCHEMA_VERSION}\n")
            return
        text = self._version_file.read_text().strip()
        if not text.isdigit() or int(text) > SCHEMA_VERSION:
            raise HarnessError(
                f"HARNESS_HOME {self.path} has schema version {text!r}, newer than this one's "
                f"{SCHEMA_VERSION}",
                "Update harness, or point HARNESS_HOME at another folder",
            )

    def secret(self, name: str) -> str:
        """A random secret, made at its first use and readable by its owner alone."""
        path = self.keys / name
        with suppress(FileExistsError):
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(24))
        return path.read_text().strip()

    def lock(self) -> None:
        """Claim the home for this process's stack, until `unlock` or the process's end.

        Raises:
            HarnessError: a stack runs here already.
        """
        handle = os.open(self._lock_file, os.O_CREAT | os.O_RDWR, 0o600)
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                self._lock = handle
                return
        os.close(handle)
        owner = self._read_stack().get("pid", "unknown")
        raise HarnessError(
            f"a stack runs in {self.path} already (process {owner})",
            "Stop it first, or point HARNESS_HOME at another folder",
        )

    def unlock(self) -> None:
        """Give the home back."""
        self._stack_file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def publish(self, stack: dict[str, Any]) -> None:
        """Write what others need to find the running stack."""
        fresh = self._stack_file.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": os.getpid(), **stack}, indent=2) + "\n")
        fresh.replace(self._stack_file)

    def running_stack(self) -> dict[str, Any] | None:
        """What the stack that runs here published; None when none runs or it is still starting."""
        if not self._lock_file.exists():
            return None
        handle = os.open(self._lock_file, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read_stack() or None
        finally:
            os.close(handle)
        return None

    def _read_stack(self) -> dict[str, Any]:
        try:
            found = json.loads(self._stack_file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
