"""Whether a tool may run: the deployment decides first, then its user.

What the registry forbids stays forbidden. Otherwise the most specific word counts: the thread's,
then the user's, then the registry's. All three are kept where no model and no tool can write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.tools.registry import Permission, ToolSpec

PERMISSIONS: Mapping[str, Permission] = {"auto": "auto", "ask": "ask", "never": "never"}
PREFIX = "tool."  # of the preferences that say so: tool.<name> = auto | ask | never


def preference_key(tool_name: str) -> str:
    """The key of the preference that overrides a tool's permission."""
    return f"{PREFIX}{tool_name}"


@dataclass(frozen=True)
class Rules:
    """What one user said about tools; a value that is no permission counts as not said.

    Attributes:
        preferences: the user's, which no tool can write under `tool.`.
        thread: by tool's name, what counts in one thread only.
    """

    preferences: Mapping[str, str] = field(default_factory=dict)
    thread: Mapping[str, str] = field(default_factory=dict)

    def permission(self, spec: ToolSpec) -> Permission:
        """A tool's permission.

        Args:
            spec: the tool, with the permission that the registry gives it.
        """
        if spec.permission == "never":
            return "never"
        said = (self.thread.get(spec.name), self.preferences.get(preference_key(spec.name)))
        words = (PERMISSIONS[word] for word in said if word is not None and word in PERMISSIONS)
        return next(words, spec.permission)
