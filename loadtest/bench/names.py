"""Names of figures."""


def short(size: int) -> str:
    """A number as names of figures have it: 1k, 100k, 1m."""
    for value, suffix in ((1_000_000, "m"), (1_000, "k")):
        if size >= value:
            return f"{size // value}{suffix}"
    return str(size)
