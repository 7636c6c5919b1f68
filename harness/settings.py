"""Every environment variable and every default, in one place."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

APP_ID = "harness"
AUDIENCE = "convex"  # of the tokens that both the API and Convex accept
DEV_ISSUER = "https://clerk.harness.localhost"
SIMULATED_MODEL = "simulated"
GIT_AUTHOR = "harness <harness@localhost>"
LOCAL_MODEL = "smollm2-135m-instruct"
LOCAL_CONTEXT_TOKENS = 4096  # what the packaged model's server gives each request


class ModelPrice(BaseModel):
    """Prices of a model per million tokens; cached tokens cost as others when not given."""

    prompt: float
    completion: float
    cached: float | None = None


class McpServer(BaseModel):
    """An MCP server: a command that is started and spoken to over its stdio, or an address.

    Attributes:
        env: variables of the command, beside HOME, PATH and their like.
        headers: of every request to the address.
        timeout_s: seconds until a call of one of its tools is given up.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str | None = None
    args: list[str] = []
    env: dict[str, SecretStr] = {}
    url: HttpUrl | None = None
    headers: dict[str, SecretStr] = {}
    timeout_s: float = Field(30.0, gt=0)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise ValueError("give either a command or a url")
        return self

    @property
    def place(self) -> str:
        """Where it is, without what may be secret: arguments, and all of a URL but its host."""
        if self.url is None:
            return str(self.command)
        return f"{self.url.scheme}://{self.url.host}:{self.url.port}"


# It begins the names of the server's tools, which models take 64 characters of.
McpName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]


class Settings(BaseSettings):
    """What the environment decides; see the README's table of variables."""

    model_config = SettingsConfigDict(
        env_prefix="HARNESS_", env_file=None, extra="ignore", populate_by_name=True
    )

    env: Literal["local", "staging", "production"] = "local"
    home: Path = Path(".harness")
    workspace: Path | None = None  # the folder the file tools see; default: home/workspace

    # Where the services are. The names of the services' own SDKs are used where they have one.
    api_url: str = "http://127.0.0.1:8300"
    worker_url: str = "http://127.0.0.1:8301"
    inngest_base_url: str = Field("http://127.0.0.1:8288", validation_alias="INNGEST_BASE_URL")
    inngest_dev: bool | str = Field(True, validation_alias="INNGEST_DEV")
    inngest_event_key: SecretStr | None = Field(None, validation_alias="INNGEST_EVENT_KEY")
    inngest_signing_key: SecretStr | None = Field(None, validation_alias="INNGEST_SIGNING_KEY")
    convex_url: str = Field("http://127.0.0.1:3210", validation_alias="CONVEX_URL")
    convex_deploy_key: SecretStr | None = Field(None, validation_alias="CONVEX_DEPLOY_KEY")
    chroma_url: str = Field("http://127.0.0.1:8302", validation_alias="CHROMA_URL")
    local_model_url: str = "http://127.0.0.1:8303/v1"
    simulated_url: str = "http://127.0.0.1:8304/v1"

    # The model. A key or an address counts only when HARNESS_MODEL names a model to use it for.
    model: str | None = None
    fallback_model: str | None = None
    model_protocol: Literal["native", "json"] | None = None
    openai_base_url: str | None = Field(None, validation_alias="OPENAI_BASE_URL")
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    model_context_tokens: int = 8192
    model_max_output_tokens: int = 512
    model_timeout_s: float = 120.0  # until the first token
    model_stall_s: float = 30.0  # between two tokens
    model_prices: dict[str, ModelPrice] = {}

    # The model that judges answers by rubrics in evals; None judges none. Without an address or a
    # key of its own, OPENAI_BASE_URL and OPENAI_API_KEY.
    judge: str | None = None
    judge_base_url: str | None = None
    judge_api_key: SecretStr | None = None

    # Who may send.
    clerk_issuer: str = Field(DEV_ISSUER, validation_alias="CLERK_ISSUER")
    clerk_jwt_key: SecretStr | None = Field(None, validation_alias="CLERK_JWT_KEY")  # PEM
    clerk_jwks_url: str | None = Field(None, validation_alias="CLERK_JWKS_URL")  # for Convex
    clerk_authorized_parties: list[str] = ["http://localhost:3000"]

    # Limits of the request side.
    max_text_bytes: int = 64 * 1024
    rate_limit: str = "60/minute"
    rate_limit_url: str = "memory://"
    cors_origins: list[str] = ["http://localhost:3000"]

    # The job.
    # Ceilings of one message: over one of them, the model answers without tools.
    max_turns: int = Field(6, ge=1)
    max_calls: int = Field(32, ge=1, le=128)  # Convex keeps 128 of a message
    max_cost: float | None = Field(None, gt=0)  # in the currency of the prices
    flush_ms: int = 60  # how often streamed text is persisted
    turn_wait_s: int = 3600  # how long a run waits for its thread before it asks again
    reply_wait_s: int = 24 * 3600  # how long a question stays open

    # MCP servers by name, as JSON: {"time": {"command": "mcp-server-time"}, "wiki": {"url": "…"}}.
    mcp_servers: dict[McpName, McpServer] = {}

    # Context.
    embedder: str = "minilm"  # or openai:MODEL, chroma:NAME of one of Chroma's functions
    embedder_threads: int = 1
    # Of openai:MODEL; without an address of its own, OPENAI_BASE_URL and OPENAI_API_KEY.
    embedder_base_url: str | None = None
    embedder_api_key: SecretStr | None = None
    embedder_dimensions: int | None = None  # asked for; None: the model's own
    embedder_max_bytes: int = 8000  # of a text that are embedded; no token is shorter than a byte
    embedder_timeout_s: float = 10.0
    embedder_config: SecretStr = SecretStr("{}")  # of chroma:NAME, JSON; a key may stand in it
    embedding_cache: Literal["disk", "memory", "off"] = "disk"
    retriever: Literal["hybrid", "dense", "lexical"] = "hybrid"
    # Neighbours that Chroma considers for a query, in collections made from now on: at 200 it may
    # miss some of the 200 nearest; the number of a user's messages makes it exact.
    memory_breadth: int = Field(200, ge=1)
    ranker: Path | None = None  # a file of `harness fit retrieval`; None: the packaged one
    followed: int = 256  # threads, and users, whose changes are pushed to a worker; 0: none
    context_budget_tokens: int = 1200
    history_messages: int = 8
    memory_hits: int = 5
    document_hits: int = 3
    # Which models sum up what the history no longer shows; auto: all but small and simulated ones.
    summaries: Literal["auto", "always", "never"] = "auto"
    # Older messages that no summary covers yet, before it is made anew.
    summary_after: int = Field(8, ge=1, le=64)
    summary_tokens: int = 256  # at most
    tools_offered: int = 5  # at most, to a model that needs any

    # What tools may do.
    git_author: str = GIT_AUTHOR  # of the commits that git_commit makes: "Name <address>"
    # Hosts that fetch_page may get, as ["example.org", "*.example.org", "127.0.0.1:8080"]: none
    # unless named, ports 80 and 443 unless named; private addresses only as addresses.
    fetch_allow: list[str] = []

    # Local engines.
    inngest_backoff_ms: int | None = None  # None: Inngest's own table
    inngest_retention_hours: float = Field(168, gt=0)  # how long an ended run is kept
    sqlite_synchronous: Literal["FULL", "NORMAL"] = "FULL"

    log_level: str = "INFO"
    log_json: bool = False

    @property
    def workspace_dir(self) -> Path:
        """The folder that the file tools may see."""
        return self.workspace or self.home / "workspace"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once from the environment."""
    return Settings()
