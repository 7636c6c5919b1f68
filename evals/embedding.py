"""How an embedder is measured: with no vectors of earlier runs, and by the vectors alone."""

from harness.settings import Settings

EMBEDDING_CACHE = "embedding cache"  # its name among the engines of a run
EVERY_MESSAGE = 1_000_000  # neighbours that are considered: more than any user of a set has


def timed(measured: Settings, given: Settings) -> Settings:
    """The measured services' settings, with the embedder's own files in a home that lasts.

    Vectors that an earlier run left on disk would make embedding look as fast as reading: they are
    used only where `HARNESS_EMBEDDING_CACHE` says so.

    Args:
        measured: of the services, which may have a private home.
        given: of this process.
    """
    chosen = "embedding_cache" in given.model_fields_set
    cache = given.embedding_cache if chosen else "memory"
    return measured.model_copy(update={"home": given.home, "embedding_cache": cache})


def exact(settings: Settings) -> Settings:
    """The settings with a search that considers every message, so that two runs find the same.

    What an approximate index misses differs each time that it is built.

    Args:
        settings: of the measured services; a breadth that was chosen there stays.
    """
    if "memory_breadth" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"memory_breadth": EVERY_MESSAGE})


def embedder_engines(settings: Settings) -> dict[str, str]:
    """What made the vectors and where they were kept, for the record."""
    return {"embedder": settings.embedder, EMBEDDING_CACHE: settings.embedding_cache}
