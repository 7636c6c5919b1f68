"""A folder that the file tools cannot leave."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from harness.tools.errors import ToolError

MAX_READ_BYTES = 256 * 1024
MAX_FILES = 2000  # that are listed or searched
HIDDEN = "."
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Workspace:
    """Reads and writes below one folder.

    Every part of a path is opened from the folder before it and no symbolic link is followed, so
    a link that appears between a check and its use leads nowhere either.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> str:
        """A file's text.

        Raises:
            ToolError: there is no such file, or it is too large or no text.
        """
        parts = _parts(path)
        if not parts:
            raise ToolError(f"{path!r} is a folder; name a file in it")
        try:
            with self._folder(parts[:-1]) as folder:
                number = os.open(parts[-1], _READ, dir_fd=folder)
        except OSError:
            raise ToolError(self._missing(path)) from None
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise ToolError(f"{path!r} is a folder; name a file in it")
        with os.fdopen(number, "rb") as file:
            content = file.read(MAX_READ_BYTES + 1)
        if len(content) > MAX_READ_BYTES:
            raise ToolError(
                f"{path!r} is larger than {MAX_READ_BYTES // 1024} KiB; search its text"
            )
        return _text(path, content)

    def write(self, path: str, content: str) -> bool:
        """Write a file whole, making the folders it needs; readers see the old text or the new.

        Returns:
            Whether it replaced an older one.

        Raises:
            ToolError: the path is no place for a file.
        """
        parts = _parts(path)
        if not parts:
            raise ToolError(f"{path!r} is a folder; name a file in it")
        self.root.mkdir(parents=True, exist_ok=True)
        part = f".{secrets.token_hex(8)}.part"
        try:
            with self._folder(parts[:-1], create=True) as folder:
                existed = _is_file(parts[-1], folder)
                try:
                    with os.fdopen(os.open(part, _CREATE, 0o644, dir_fd=folder), "wb") as file:
                        file.write(content.encode("utf-8", "replace"))
                        file.flush()
                        os.fsync(file.fileno())
                    os.rename(part, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
                except OSError:
                    _forget(part, folder)
                    raise
        except OSError as error:
            raise ToolError(f"{path!r} cannot be written: {error.strerror}") from None
        return existed

    def files(self, folder: str = ".") -> list[str]:
        """The files below a folder as paths from the workspace, sorted; hidden ones are left out.

        Raises:
            ToolError: there is no such folder.
        """
        return [path for path, is_folder in self.entries(folder) if not is_folder]

    def folders(self) -> list[str]:
        """Every folder below the workspace, sorted; hidden ones are left out."""
        return [path for path, is_folder in self.entries() if is_folder]

    def entries(self, folder: str = ".") -> list[tuple[str, bool]]:
        """What is below a folder: paths from the workspace, and whether each is a folder.

        Raises:
            ToolError: there is no such folder.
        """
        parts = _parts(folder)
        try:
            with self._folder(parts) as number:
                found: list[tuple[str, bool]] = []
                _walk(number, PurePosixPath(*parts), found)
                return found
        except OSError:
            if not parts:
                return []  # a workspace that nothing was written to yet
            known = ", ".join(self.folders()[:20]) or "none"
            raise ToolError(f"there is no folder {folder!r}; there are: {known}") from None

    @contextmanager
    def _folder(self, parts: list[str], *, create: bool = False) -> Iterator[int]:
        number = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=number)
                inner = os.open(part, _FOLDER, dir_fd=number)
                os.close(number)
                number = inner
            yield number
        finally:
            os.close(number)

    def _missing(self, path: str) -> str:
        names = self.files()
        wanted = PurePosixPath(path).name.lower()
        like = [name for name in names if wanted in name.lower()] or names
        known = ", ".join(like[:20]) or "none"
        return f"there is no file {path!r}; there are: {known}"


def _parts(path: str) -> list[str]:
    pure = PurePosixPath(path.strip().replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ToolError(
            f"{path!r} is outside of the workspace; name a path in it, as 'notes/today.md'"
        )
    if any(len(part.encode("utf-8", "replace")) > 255 for part in pure.parts):
        raise ToolError(f"{path[:40]!r}… is too long for a file's name")
    return list(pure.parts)


def _walk(folder: int, path: PurePosixPath, found: list[tuple[str, bool]]) -> None:
    with os.scandir(folder) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(HIDDEN) or entry.is_symlink() or len(found) >= MAX_FILES:
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and not entry.is_file(follow_symlinks=False):
            continue
        found.append((str(path / entry.name), is_folder))
        if is_folder:
            inner = os.open(entry.name, _FOLDER, dir_fd=folder)
            try:
                _walk(inner, path / entry.name, found)
            finally:
                os.close(inner)


def _is_file(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _forget(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _text(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(f"{path!r} is no text file") from None
    if "\0" in text:
        raise ToolError(f"{path!r} is no text file")
    return text
