"""The session token that a user brings along."""

from harness.client import TokenSource


def given_token(token: str | None) -> TokenSource | None:
    """A source of the given token; None to mint development tokens."""
    if not token:
        return None

    async def source() -> str:
        return token

    return source
