"""Files below one folder, reached so that no symbolic link is ever followed.

Every part of a path is opened from the folder before it, so a link that appears between a check
and its use leads nowhere either.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

MAX_DEPTH = 64  # of folders that are walked
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PART_NAME_BYTES = 8

Parts = Sequence[str]  # of a path, none of them empty, "." or ".."


class Entry(NamedTuple):
    """Something below the folder; its status is its own, also a link's."""

    path: str
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return stat.S_ISREG(self.status.st_mode)


Skip = Callable[[str, bool], bool]  # of a path, and whether it is a folder


class Folder:
    """Reads and writes below one folder; what cannot be done is an `OSError`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: Parts, most: int) -> bytes:
        """An ordinary file's content.

        Args:
            path: of the file.
            most: bytes; a larger file is an `EFBIG`.
        """
        with self._opened(path[:-1]) as folder:
            return _content(path[-1], folder, most)

    def link_target(self, path: Parts) -> bytes:
        """What a symbolic link says, without going there."""
        with self._opened(path[:-1]) as folder:
            return os.fsencode(os.readlink(path[-1], dir_fd=folder))

    def status(self, path: Parts) -> os.stat_result:
        """A file's, a folder's or a link's own status."""
        with self._opened(path[:-1]) as folder:
            return os.stat(path[-1], dir_fd=folder, follow_symlinks=False)

    def write(self, path: Parts, content: bytes, executable: bool | None = None) -> bool:
        """Write a file whole, making the folders it needs; readers see the old one or the new.

        Args:
            path: of the file.
            content: all of it.
            executable: whether it may be run; None leaves that as it was.

        Returns:
            Whether it replaced an older one.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._opened(path[:-1], create=True) as folder:
            mode = _mode(path[-1], folder)
            _replace(path[-1], folder, content, _with_execution(mode or 0o644, executable))
            return mode is not None

    def change(self, path: Parts, most: int, edit: Callable[[bytes], bytes]) -> None:
        """Rewrite a file in the very folder that it was read from.

        Args:
            path: of the file.
            most: bytes that it may have.
            edit: gives the new content from the old.
        """
        with self._opened(path[:-1]) as folder:
            content = edit(_content(path[-1], folder, most))
            _replace(path[-1], folder, content, _mode(path[-1], folder) or 0o644)

    def remove(self, path: Parts) -> bool:
        """Remove an ordinary file or an empty folder; answers whether it was a folder."""
        with self._opened(path[:-1]) as folder:
            mode = os.stat(path[-1], dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                os.rmdir(path[-1], dir_fd=folder)
                return True
            if not stat.S_ISREG(mode):
                raise FileNotFoundError(errno.ENOENT, "no ordinary file")
            os.unlink(path[-1], dir_fd=folder)
            return False

    def walk(self, path: Parts, skip: Skip) -> Iterator[Entry]:
        """All that is below a folder, sorted, a folder before what is in it.

        Args:
            path: of the folder.
            skip: what to leave out, with all that is in it.
        """
        waiting = self._children(path, skip)[::-1]
        while waiting:
            entry = waiting.pop()
            yield entry
            parts = PurePosixPath(entry.path).parts
            if entry.is_folder and len(parts) < MAX_DEPTH:
                with suppress(OSError):  # gone, or a link by now
                    waiting += self._children(parts, skip)[::-1]

    def _children(self, path: Parts, skip: Skip) -> list[Entry]:
        found: list[Entry] = []
        with self._opened(path) as folder, os.scandir(folder) as scanned:
            for each in scanned:
                with suppress(FileNotFoundError):
                    status = each.stat(follow_symlinks=False)
                    found.append(Entry(str(PurePosixPath(*path, each.name)), status))
        return sorted(each for each in found if not skip(each.path, each.is_folder))

    @contextmanager
    def _opened(self, path: Parts, *, create: bool = False) -> Iterator[int]:
        number = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in path:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=number)
                inner = os.open(part, _FOLDER, dir_fd=number)
                os.close(number)
                number = inner
            yield number
        finally:
            os.close(number)


def is_part(name: str) -> bool:
    """Whether a file is one that `write` has not finished, by its name."""
    return len(name) == len(_part_name()) and name.startswith(".") and name.endswith(".part")


def _part_name() -> str:
    return f".{secrets.token_hex(_PART_NAME_BYTES)}.part"


def _content(name: str, folder: int, most: int) -> bytes:
    with os.fdopen(os.open(name, _READ, dir_fd=folder), "rb", closefd=True) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


def _mode(name: str, folder: int) -> int | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0o644


def _with_execution(mode: int, executable: bool | None) -> int:
    if executable is None:
        return mode
    return mode | 0o111 if executable else mode & ~0o111


def _replace(name: str, folder: int, content: bytes, mode: int) -> None:
    part = _part_name()
    try:
        with os.fdopen(os.open(part, _CREATE, 0o600, dir_fd=folder), "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        raise
