"""A folder's Markdown and text files, read as documents."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

GLOBS = ("**/*.md", "**/*.markdown", "**/*.txt")
MARKDOWN = frozenset({".md", ".markdown"})
CUT = 1  # raised when documents are cut in another way, so that all are indexed again


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it is indexed.

    Attributes:
        source: the name of what it is a part of, such as its folder's path.
        path: within the folder.
        text: with newlines alone as line ends.
        modified_at: milliseconds UTC.
        hash: of its content, and of how documents are cut.
    """

    source: str
    path: str
    text: str
    markdown: bool
    modified_at: int
    hash: str


class UnreadableFile(Exception):
    """A file that is left out; the text says why."""


def source_name(folder: Path) -> str:
    """What a folder is called as a source unless it is given a name: two of one name are two."""
    return folder.resolve().as_posix()


def find_files(folder: Path, globs: Sequence[str] = GLOBS) -> list[Path]:
    """The files of a folder that match any of the patterns, without hidden ones, by path.

    Raises:
        HarnessError: there is no such folder, or a pattern is none.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "not there"
        raise HarnessError(f"{str(folder)!r} is {what}", "Name a folder of Markdown or text.")
    found: set[Path] = set()
    for pattern in globs:
        try:
            found.update(path for path in folder.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError) as error:
            raise HarnessError(
                f"--glob is {pattern!r}: {error}", "Write one as '**/*.md', relative to the folder."
            ) from error
    return sorted(path for path in found if not _hidden(path.relative_to(folder)))


def read_document(folder: Path, path: Path, source: str) -> Document:
    """Read a file.

    Args:
        folder: which it is in.
        path: the file.
        source: the folder's name as a source.

    Raises:
        UnreadableFile: it can not be read, or is no text in UTF-8.
    """
    try:
        content = path.read_bytes()
        modified_at = path.stat().st_mtime_ns // 1_000_000
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UnreadableFile(error.strerror or type(error).__name__) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"is not UTF-8 at byte {error.start}") from error
    if "\0" in text:
        raise UnreadableFile("holds zero bytes: it is no text")
    return Document(
        source=source,
        path=path.relative_to(folder).as_posix(),
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        markdown=path.suffix.lower() in MARKDOWN,
        modified_at=modified_at,
        hash=hashlib.sha256(b"%d\0" % CUT + content).hexdigest(),
    )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
