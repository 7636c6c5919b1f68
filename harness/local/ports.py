"""Free ports for the parts of a stack."""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError

_LOWEST = 20_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 500
_leases: list[int] = []  # open lock files; closed, and so given back, when the process ends


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as probe:
        # As servers do, so that connections in TIME_WAIT don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that stays this process's until it ends, also while nothing listens there.

    It lies below the range that outgoing connections are given, so that a part that was killed
    finds its port free when it starts again: a client that retries could otherwise be given that
    very port.

    Raises:
        HarnessError: no port is free.
    """
    folder = Path(tempfile.gettempdir(), f"harness-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    highest = _ephemeral_start() - 1
    chooser = random.SystemRandom()
    for _ in range(_TRIES):
        port = chooser.randint(_LOWEST, highest)
        lease = os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)
        with suppress(BlockingIOError):
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_free(port):
                _leases.append(lease)
                return port
        os.close(lease)
    raise HarnessError(f"no port between {_LOWEST} and {highest} is free", "Stop other stacks")


def _ephemeral_start() -> int:
    with suppress(OSError, ValueError):
        start = int(_RANGE_FILE.read_text().split()[0])
        if start > _LOWEST + 1000:
            return start
    return 32_768
