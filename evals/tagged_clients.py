"""Clients of a model that tell the cache of answers which case they ask for."""

from openai import AsyncOpenAI

from evals.answer_cache import SALT_HEADER, TAG_HEADER
from harness.llm.clients import ModelClients
from harness.llm.models import ModelSpec


class TaggedClients(ModelClients):
    """The clients of a process, with headers that `evals.answer_cache` reads and passes to nobody.

    Args:
        shared: whose connections are used; closing them is its owner's.
        salt: tells repeats apart.
        tag: by which what was served is told.
    """

    def __init__(self, shared: ModelClients, salt: str, tag: str) -> None:
        super().__init__(shared.settings)
        self._shared = shared
        self._headers = {SALT_HEADER: salt, TAG_HEADER: tag}

    def get(self, spec: ModelSpec) -> AsyncOpenAI:
        """The client of the server that this model runs on."""
        return self._shared.get(spec).with_options(default_headers=self._headers)
