"""Whether a tool may run: the registry decides first, then its user."""

from collections.abc import Mapping

from harness.tools.registry import Permission, ToolSpec

PERMISSIONS: Mapping[str, Permission] = {"auto": "auto", "ask": "ask", "never": "never"}
PREFIX = "tool."  # of the preferences that say so: tool.<name> = auto | ask | never


def preference_key(tool_name: str) -> str:
    """The key of the preference that overrides a tool's permission."""
    return f"{PREFIX}{tool_name}"


def permission_of(spec: ToolSpec, preferences: Mapping[str, str]) -> Permission:
    """A tool's permission for one user.

    A user may tighten or loosen `auto` and `ask`; what the deployment forbids stays forbidden. A
    value that is no permission counts as none.

    Args:
        spec: the tool.
        preferences: the user's, which no tool can write under `tool.`.
    """
    if spec.permission == "never":
        return "never"
    chosen = preferences.get(preference_key(spec.name))
    return PERMISSIONS.get(chosen or "", spec.permission)
