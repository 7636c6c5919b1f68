"""The errors that a model reads."""


class ToolError(Exception):
    """Why a tool could not do what it was asked, in one line that names the thing and a remedy."""


class ToolUnavailable(ToolError):
    """What the tool needs does not answer; another try may find it again."""
