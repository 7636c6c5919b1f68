"""The error that a person reads."""


class HarnessError(Exception):
    """Something a user can act on: one line that names the thing, its value and the remedy.

    The command line prints it without a traceback and exits 2.

    Args:
        message: what is wrong, naming the thing and its value.
        remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        if not self.remedy:
            return self.message
        return f"{self.message.rstrip('.')}. {self.remedy}"
