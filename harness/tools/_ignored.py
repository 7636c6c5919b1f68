"""Files of patterns in a tree, as `.gitignore`: each speaks for its own folder and those below."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

ReadLines = Callable[[str], Iterable[str]]  # of a folder, "" for the top one


class TreePatterns:
    """Whether a path is matched by the patterns of the folders above it; the nearest decides.

    Args:
        lines: gives the patterns of a folder, none where it has no such file.
    """

    def __init__(self, lines: ReadLines) -> None:
        self._spec = lru_cache(maxsize=None)(lambda folder: _spec(lines(folder)))

    def match(self, path: str, is_folder: bool = False) -> bool:
        """Whether a path is matched; what lies in a matched folder is not looked at.

        Args:
            path: from the top folder.
            is_folder: whether it is one, which patterns like `build/` ask for.
        """
        parts = PurePosixPath(path).parts
        for depth in range(len(parts) - 1, -1, -1):
            spec = self._spec("/".join(parts[:depth]))
            found = spec.check_file("/".join(parts[depth:]) + ("/" if is_folder else ""))
            if found.include is not None:
                return bool(found.include)
        return False


def glob(pattern: str) -> Callable[[str], bool]:
    """Whether a path is one of a glob's, which has the rules of `.gitignore`; `!` turns it round.

    Args:
        pattern: as `*.py`, `src/**` or `!*.md`.
    """
    spec = _spec([pattern.removeprefix("!")])
    wanted = not pattern.startswith("!")
    return lambda path: spec.match_file(path) is wanted


def _spec(lines: Iterable[str]) -> GitIgnoreSpec:
    kept = [line for line in lines if _is_pattern(line)]
    return GitIgnoreSpec.from_lines(kept)


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False  # git passes over such a line too
    return True
