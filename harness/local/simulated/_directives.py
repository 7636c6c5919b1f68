"""Directives in a message's text that say what the simulated model does with it.

[[call NAME {"a": 1}]]          call a tool; several make parallel calls
[[then]]                        what follows belongs to the next turn
[[say TEXT]]                    answer with exactly this text
[[fault KIND {"times": 2}]]     fail the next answers to this message
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

_OPENING = re.compile(r"\[\[(call|say|fault|then)\b\s*")
_NAME = re.compile(r"[\w.\-]+")
_CLOSING = "]]"


@dataclass(frozen=True)
class CallDirective:
    """A tool call to make; `arguments` is JSON text, malformed if the message had it so."""

    name: str
    arguments: str

    def parsed(self) -> dict[str, Any]:
        """The arguments as an object; empty when they are malformed or no object."""
        try:
            value = json.loads(self.arguments)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class FaultDirective:
    """A fault that the message asks for, with its parameters as JSON text."""

    kind: str
    parameters: str


@dataclass
class Directives:
    """What one message's text asks for; `turns[n]` are the calls of its n-th model call."""

    turns: list[list[CallDirective]] = field(default_factory=lambda: [[]])
    say: str | None = None
    faults: list[FaultDirective] = field(default_factory=list)

    def calls(self, turn: int) -> list[CallDirective]:
        """The calls to make in the given turn, counted from 0."""
        return self.turns[turn] if turn < len(self.turns) else []

    @property
    def has_calls(self) -> bool:
        """Whether any turn calls a tool."""
        return any(self.turns)


def parse_directives(text: str) -> Directives:
    """Find the directives in a message's text."""
    found = Directives()
    position = 0
    while opening := _OPENING.search(text, position):
        position = opening.end()
        kind = opening.group(1)
        if kind == "then":
            found.turns.append([])
        elif kind == "say":
            found.say, position = _until_closing(text, position)
        else:
            name, position = _name(text, position)
            body, position = _json_or_raw(text, position)
            if kind == "call":
                found.turns[-1].append(CallDirective(name, body))
            else:
                found.faults.append(FaultDirective(name, body))
    return found


def _name(text: str, position: int) -> tuple[str, int]:
    match = _NAME.match(text, position)
    return (match.group(), match.end()) if match else ("", position)


def _json_or_raw(text: str, position: int) -> tuple[str, int]:
    """JSON may itself hold the closing brackets; anything else ends at the first pair."""
    start = position + len(text[position:]) - len(text[position:].lstrip())
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        raw, end = _until_closing(text, position)
        return raw or "{}", end
    return text[start:end], end


def _until_closing(text: str, position: int) -> tuple[str, int]:
    end = text.find(_CLOSING, position)
    if end < 0:
        return text[position:].strip(), len(text)
    return text[position:end].strip(), end + len(_CLOSING)
