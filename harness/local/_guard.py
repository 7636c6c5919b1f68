"""Becomes another program that dies with its parent: `python _guard.py PARENT_PID COMMAND…`.

A part must not outlive its supervisor, even one that was killed. Linux keeps the request over
exec, and asking from here instead of a `preexec_fn` keeps forks out of a threaded process. It runs
isolated and imports nothing else, to cost a part's start next to nothing.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Ask for the signal, see that the parent still lives, and exec."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]!r}: {error.strerror}")


if __name__ == "__main__":
    main()
