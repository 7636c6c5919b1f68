"""How an embedder is measured: with no vectors of earlier runs."""

from harness.settings import Settings

EMBEDDING_CACHE = "embedding cache"  # its name among the engines of a run


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


def embedder_engines(settings: Settings) -> dict[str, str]:
    """What made the vectors and where they were kept, for the record."""
    return {"embedder": settings.embedder, EMBEDDING_CACHE: settings.embedding_cache}
