"""The datasheet that is written beside a set, and the licence that one names."""

import re
from collections.abc import Mapping
from pathlib import Path

UNSTATED = "not stated"
_LICENCE = re.compile(r"^\*\*Licence\.\*\*\s*(.+?)\.?\s*$", re.MULTILINE)


def write_datasheet(path: Path, title: str, sections: Mapping[str, str]) -> None:
    """Write a datasheet.

    Args:
        path: of the file.
        title: the set's name.
        sections: texts by heading, in order.
    """
    said = "\n\n".join(f"**{heading}.** {text}" for heading, text in sections.items())
    path.write_text(f"# {title}\n\n{said}\n", "utf-8", newline="\n")


def licence_of(path: Path) -> str:
    """The licence that a datasheet names."""
    found = _LICENCE.search(path.read_text("utf-8")) if path.is_file() else None
    return found[1] if found else UNSTATED
