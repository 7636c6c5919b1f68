"""Which model answers, where it is and what it can do."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from harness.llm.errors import UnknownModel
from harness.settings import LOCAL_CONTEXT_TOKENS, LOCAL_MODEL, SIMULATED_MODEL, Settings

OPENAI_URL = "https://api.openai.com/v1"

# What SmolLM2-135M-Instruct was measured to answer best with: one short greedy line.
_SMALL_OUTPUT_TOKENS = 48
_SMALL_STOP = ("\n",)


class ModelSpec(BaseModel):
    """One model as the pipeline uses it.

    Attributes:
        name: what a message asks for it by.
        model: what its server knows it by.
        protocol: `native` tool calls, or a `json` decision under a schema.
        style: how its prompt is written; `small` models need everything in one short question.
        provider: who runs it, as results are labelled.
        simulated: its text means nothing and is never counted as accuracy.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    base_url: str
    provider: Literal["simulated", "local", "openai-compatible"]
    protocol: Literal["native", "json"] = "native"
    style: Literal["chat", "small"] = "chat"
    api_key: SecretStr | None = None
    context_tokens: int
    max_output_tokens: int
    temperature: float = 0.0
    stop: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether no language model stands behind it."""
        return self.provider == "simulated"

    @property
    def local(self) -> bool:
        """Whether it runs on this machine as part of the stack."""
        return self.provider != "openai-compatible"


def default_model(settings: Settings) -> str:
    """The name of the model for a message that asks for none."""
    return settings.model or LOCAL_MODEL


def resolve_model(name: str | None, settings: Settings) -> ModelSpec:
    """Describe the model of that name.

    Only the model that `HARNESS_MODEL` (and, beside it, `HARNESS_FALLBACK_MODEL`) names is looked
    for at `OPENAI_BASE_URL`, and only then is `OPENAI_API_KEY` used.

    Args:
        name: a model's name; None for the default.
        settings: where the models are.

    Raises:
        UnknownModel: no setting describes a model of this name.
    """
    name = name or default_model(settings)
    if name.partition("?")[0] == SIMULATED_MODEL:  # its parameters may stand behind its name
        return _simulated(name, settings)
    if name == LOCAL_MODEL:
        return _local(settings)
    remote = settings.model if settings.model not in (None, SIMULATED_MODEL, LOCAL_MODEL) else None
    if remote and name in (remote, settings.fallback_model):
        return _remote(name, settings)
    known = sorted({SIMULATED_MODEL, LOCAL_MODEL, remote or LOCAL_MODEL})
    raise UnknownModel(
        f"Model {name!r} is not configured",
        f"Use {' or '.join(known)}, or name it in HARNESS_MODEL and its server in OPENAI_BASE_URL.",
    )


def fallbacks(spec: ModelSpec, settings: Settings) -> list[ModelSpec]:
    """The models to try when this one fails, in order; it is not among them itself."""
    if settings.fallback_model in (None, spec.name):
        return []
    return [resolve_model(settings.fallback_model, settings)]


def _simulated(name: str, settings: Settings) -> ModelSpec:
    return ModelSpec(
        name=name,
        model=name,
        base_url=settings.simulated_url,
        provider="simulated",
        protocol="native",
        context_tokens=settings.model_context_tokens,
        max_output_tokens=settings.model_max_output_tokens,
    )


def _local(settings: Settings) -> ModelSpec:
    return ModelSpec(
        name=LOCAL_MODEL,
        model=LOCAL_MODEL,
        base_url=settings.local_model_url,
        provider="local",
        protocol="json",
        style="small",
        context_tokens=min(LOCAL_CONTEXT_TOKENS, settings.model_context_tokens),
        max_output_tokens=min(_SMALL_OUTPUT_TOKENS, settings.model_max_output_tokens),
        stop=_SMALL_STOP,
    )


def _remote(name: str, settings: Settings) -> ModelSpec:
    if settings.openai_base_url is None and settings.openai_api_key is None:
        raise UnknownModel(
            f"Model {name!r} has no server",
            f"Set OPENAI_API_KEY to use it at {OPENAI_URL}, or OPENAI_BASE_URL for your own.",
        )
    return ModelSpec(
        name=name,
        model=name,
        base_url=settings.openai_base_url or OPENAI_URL,
        provider="openai-compatible",
        protocol=settings.model_protocol or "native",
        api_key=settings.openai_api_key,
        context_tokens=settings.model_context_tokens,
        max_output_tokens=settings.model_max_output_tokens,
    )
