class StoreError(Exception):
    """Convex refused a call.

    Attributes:
        code: `UNAUTHENTICATED`, `NOT_FOUND`, `CONFLICT` or `INVALID` as the functions throw them;
            `INTERNAL` for anything that is a fault of ours.
        message: one line for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class StoreUnavailable(StoreError):
    """Convex did not answer for as long as the store was allowed to try."""

    def __init__(self, message: str) -> None:
        super().__init__("UNAVAILABLE", message)
