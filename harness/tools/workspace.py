"""A folder that the file tools cannot leave."""

import errno
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from harness.tools._folder import Entry, Folder, Skip
from harness.tools.errors import ToolError

MAX_READ_BYTES = 256 * 1024
MAX_FILES = 2000  # that are listed
HIDDEN = "."
SHOWN_CHARS = 60  # of a text that an error names
SHOWN_LINES = 10  # likewise
# What HFS+ leaves out of a name, by git's own list (utf8.c).
_NOT_IN_NAMES = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


class Workspace:
    """Reads and writes below one folder, at paths that a model wrote.

    No symbolic link is followed, and git's own files are out of reach: who writes them can have
    programs run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = Folder(root)

    def read(self, path: str, most: int = MAX_READ_BYTES) -> str:
        """A file's text.

        Args:
            path: of the file.
            most: bytes that are read.

        Raises:
            ToolError: there is no such file, or it is too large or no text.
        """
        parts = _file_parts(path)
        try:
            return _text(path, self._folder.read(parts, most))
        except OSError as error:
            raise self._unread(path, error, most) from None

    def find(self, path: str, most: int = MAX_READ_BYTES) -> str | None:
        """As `read`, but None when there is no such text."""
        try:
            return _text(path, self._folder.read(_file_parts(path), most))
        except (OSError, ToolError):
            return None

    def write(self, path: str, content: str) -> bool:
        """Write a file whole, making the folders it needs; readers see the old text or the new.

        Returns:
            Whether it replaced an older one.

        Raises:
            ToolError: the path is no place for a file.
        """
        parts = _file_parts(path)
        try:
            return self._folder.write(parts, content.encode("utf-8", "replace"))
        except OSError as error:
            raise ToolError(f"{path!r} cannot be written: {error.strerror}") from None

    def patch(self, path: str, old: str, new: str) -> int:
        """Replace the one place where a text stands in a file.

        Returns:
            The number of the line where it stood, from 1.

        Raises:
            ToolError: there is no such file, or the text does not stand there exactly once.
        """
        parts = _file_parts(path)
        line = 0

        def edit(content: bytes) -> bytes:
            nonlocal line
            text = _text(path, content)
            ends = "\r\n" if "\r\n" in text else "\n"  # a model writes plain ones
            wanted, put = (_with_ends(each, ends) for each in (old, new))
            line = _only_line(path, text, wanted)
            return text.replace(wanted, put).encode("utf-8", "replace")

        try:
            self._folder.change(parts, MAX_READ_BYTES, edit)
        except OSError as error:
            raise self._unread(path, error, MAX_READ_BYTES) from None
        return line

    def delete(self, path: str) -> bool:
        """Delete a file or an empty folder.

        Returns:
            Whether it was a folder.

        Raises:
            ToolError: there is no such thing, or the folder is not empty.
        """
        parts = path_parts(path)
        if not parts:
            raise ToolError(f"{path!r} is the workspace itself; name a file or folder in it")
        try:
            return self._folder.remove(parts)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:
                below = self._folder.walk(parts, lambda path, is_folder: False)
                inside = ", ".join(entry.path for entry in islice(below, SHOWN_LINES))
                raise ToolError(f"{path!r} is not empty, delete first: {inside}") from None
            raise ToolError(self._missing(path)) from None

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
        found: list[tuple[str, bool]] = []
        for entry in self.walk(folder):
            if len(found) == MAX_FILES:
                break
            if entry.is_folder or entry.is_file:
                found.append((entry.path, entry.is_folder))
        return found

    def walk(self, folder: str = ".", skip: Skip | None = None) -> Iterator[Entry]:
        """All that is below a folder, one after the other.

        Args:
            folder: where to begin.
            skip: what to leave out with all that is in it, besides what is hidden.

        Raises:
            ToolError: there is no such folder.
        """
        parts = path_parts(folder)

        def left_out(path: str, is_folder: bool) -> bool:
            return _hidden(path) or (skip is not None and skip(path, is_folder))

        try:
            yield from self._folder.walk(parts, left_out)
        except OSError:
            if not parts:
                return  # a workspace that nothing was written to yet
            known = ", ".join(self.folders()[:20]) or "none"
            raise ToolError(f"there is no folder {folder!r}; there are: {known}") from None

    def _unread(self, path: str, error: OSError, most: int) -> ToolError:
        if error.errno == errno.EISDIR:
            return ToolError(f"{path!r} is a folder; name a file in it")
        if error.errno == errno.EFBIG:
            return ToolError(f"{path!r} is larger than {most // 1024} KiB; search its text")
        if error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            return ToolError(f"{path!r} cannot be used: {error.strerror}")
        return ToolError(self._missing(path))

    def _missing(self, path: str) -> str:
        names = self.files()
        wanted = PurePosixPath(path).name.lower()
        like = [name for name in names if wanted in name.lower()] or names
        known = ", ".join(like[:20]) or "none"
        return f"there is no file {path!r}; there are: {known}"


def is_git(name: str) -> bool:
    """Whether a name is that of git's folder, on any file system that takes it for `.git`."""
    plain = _NOT_IN_NAMES.sub("", name).casefold().split(":")[0].rstrip(". ")
    return plain in (".git", "git~1")


def path_parts(path: str) -> list[str]:
    """A path from the workspace in its parts, none for the workspace itself.

    Raises:
        ToolError: it leads out of the workspace, or to git's own files.
    """
    pure = PurePosixPath(path.strip().replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ToolError(
            f"{path!r} is outside of the workspace; name a path in it, as 'notes/today.md'"
        )
    if not _is_text(path):
        raise ToolError(f"{path!r} is no Unicode text; name the file as the listing shows it")
    if any(len(part.encode("utf-8")) > 255 for part in pure.parts):
        raise ToolError(f"{path[:40]!r}… is too long for a file's name")
    if any(is_git(part) for part in pure.parts):
        raise ToolError(f"{path!r} belongs to git; only the git tools reach it")
    return list(pure.parts)


def _file_parts(path: str) -> list[str]:
    parts = path_parts(path)
    if not parts:
        raise ToolError(f"{path!r} is a folder; name a file in it")
    return parts


def _hidden(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.startswith(HIDDEN) or not _is_text(name)


def _is_text(name: str) -> bool:
    # A name in another encoding is read with surrogates, which no JSON and no prompt can carry.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _with_ends(text: str, ends: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", ends)


def _only_line(path: str, text: str, wanted: str) -> int:
    """The line where a text stands, which must be the only place."""
    shown = repr(wanted if len(wanted) <= SHOWN_CHARS else f"{wanted[:SHOWN_CHARS]}…")
    starts = [found.start() for found in re.finditer(f"(?={re.escape(wanted)})", text)]
    if not starts:
        raise ToolError(
            f"{path!r} does not contain {shown}; view the file and copy the text exactly, "
            "with its blanks and line ends"
        )
    lines = [text.count("\n", 0, start) + 1 for start in starts[:SHOWN_LINES]]
    if len(starts) > 1:
        numbers = ", ".join(map(str, lines)) + (", …" if len(starts) > SHOWN_LINES else "")
        raise ToolError(
            f"{path!r} contains {shown} {len(starts)} times (lines {numbers}); give more of the "
            "text around the right one, so that it stands there once"
        )
    return lines[0]


def _text(path: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(f"{path!r} is no text file") from None
    if "\0" in text:
        raise ToolError(f"{path!r} is no text file")
    return text
