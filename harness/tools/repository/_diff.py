"""Changes in words and as a unified diff."""

from collections.abc import Callable, Iterable

from dulwich.patch import unified_diff

from harness.tools.repository._worktree import Change, Version

MAX_COMPARED_BYTES = 256 * 1024  # of a file; comparing takes the square of its lines at worst
NONE = "no file differs from the last commit"


def described(
    changes: Iterable[Change], old: Callable[[Version], bytes], new: Callable[[str], bytes]
) -> str:
    """A line for every change, then the changed lines of those that git tracks.

    Args:
        changes: what to describe.
        old: gives a committed content.
        new: gives a file's content.
    """
    listed = list(changes)
    texts = [_compared(change, old, new) for change in listed if change.tracked]
    return "\n".join([*map(_line, listed), *filter(None, texts)]) or NONE


def _line(change: Change) -> str:
    if not change.tracked:
        return f"untracked: {change.path}"
    what = "modified"
    if change.before is None:
        what = "added"
    elif change.after is None:
        what = "deleted"
    where = "partly staged" if change.unstaged else "staged"
    return f"{what} ({where if change.staged else 'not staged'}): {change.path}"


def _compared(change: Change, old: Callable[[Version], bytes], new: Callable[[str], bytes]) -> str:
    before = old(change.before) if change.before else b""
    after = new(change.path) if change.after else b""
    title = f"\ndiff --git a/{change.path} b/{change.path}"
    if change.before and change.after and change.before.mode != change.after.mode:
        title += f"\nmode {change.before.mode:o} becomes {change.after.mode:o}"
    if b"\0" in before or b"\0" in after:
        return f"{title}\nBinary files differ"
    if max(len(before), len(after)) > MAX_COMPARED_BYTES:
        return f"{title}\nToo large to compare: {len(before)} bytes become {len(after)}"
    lines = unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        fromfile=b"a/" + change.path.encode("utf-8", "replace") if change.before else b"/dev/null",
        tofile=b"b/" + change.path.encode("utf-8", "replace") if change.after else b"/dev/null",
    )
    text = b"".join(lines).decode("utf-8", "replace").rstrip("\n")
    return f"{title}\n{text}" if text else title
