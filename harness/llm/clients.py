"""One HTTP connection pool per model server."""

from types import TracebackType
from urllib.parse import urlsplit

from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

from harness.llm.models import ModelSpec
from harness.settings import Settings

CONNECT_TIMEOUT_S = 5.0
NO_KEY = "none"  # the client insists on a key, servers without one ignore it


class ModelClients:
    """The `openai` clients of a process, made when first needed.

    Args:
        settings: how long to wait for a model.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clients: dict[tuple[str, bool], AsyncOpenAI] = {}

    def get(self, spec: ModelSpec) -> AsyncOpenAI:
        """The client of the server that this model runs on."""
        key = (spec.base_url, spec.api_key is not None)
        if key not in self._clients:
            self._clients[key] = self._make(spec)
        return self._clients[key]

    async def close(self) -> None:
        """Close every pool."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def __aenter__(self) -> "ModelClients":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    def _make(self, spec: ModelSpec) -> AsyncOpenAI:
        timeout = Timeout(self.settings.model_timeout_s, connect=CONNECT_TIMEOUT_S)
        client = AsyncOpenAI(
            base_url=spec.base_url,
            # Always given: the client would else take the environment's.
            api_key=spec.api_key.get_secret_value() if spec.api_key else NO_KEY,
            timeout=timeout,
            max_retries=0,  # the steps of the job retry, and see each failure
            # A proxy of the environment is for the world outside, not for servers of this machine.
            http_client=DefaultAsyncHttpxClient(
                timeout=timeout, trust_env=not (spec.local or is_loopback(spec.base_url))
            ),
        )
        if spec.local:
            client.organization = client.project = None
        return client


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine, and so not behind a proxy of the environment."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
