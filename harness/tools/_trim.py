"""Results short enough to be shown to a model."""

import json
from typing import Any

MAX_RESULT_CHARS = 8000


def trim(value: Any, limit: int) -> Any:
    """A JSON value of at most `limit` characters as JSON, saying what was left out.

    Args:
        value: texts lose their end and lists their last items; what has neither becomes text.
        limit: characters, at least 100.
    """
    size = _size(value)
    if size <= limit:
        return value
    if isinstance(value, list) and (kept := _first_items(value, limit)):
        return kept
    return _trim_text(value if isinstance(value, str) else json.dumps(value), limit)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def _trim_text(text: str, limit: int) -> str:
    note = "\n[cut: {} of {} characters shown]"
    low, high = 0, min(len(text), limit)
    # Escapes make JSON longer than its text, so the longest start that fits is searched for.
    while low < high:
        middle = (low + high + 1) // 2
        if _size(text[:middle] + note.format(middle, len(text))) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low] + note.format(low, len(text))


def _first_items(items: list[Any], limit: int) -> list[Any]:
    note = "[cut: {} of {} items shown]"
    room = limit - len(note) - 20
    kept: list[Any] = []
    for item in items:
        room -= _size(item) + 2
        if room < 0:
            break
        kept.append(item)
    return [*kept, note.format(len(kept), len(items))] if kept else []
