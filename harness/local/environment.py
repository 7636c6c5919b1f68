"""The environment and the settings of a stack's parts, from one mapping."""

import os
from collections.abc import Mapping

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

from harness.settings import LOCAL_MODEL, SIMULATED_MODEL, Settings

SERVICES = ("convex", "inngest", "chroma", "model", "simulated")
APPS = ("worker", "api")
PARTS = SERVICES + APPS

# Where each part is looked for. A service that the environment places elsewhere is not started.
URL_VARIABLES = {
    "convex": "CONVEX_URL",
    "inngest": "INNGEST_BASE_URL",
    "chroma": "CHROMA_URL",
    "model": "HARNESS_LOCAL_MODEL_URL",
    "simulated": "HARNESS_SIMULATED_URL",
    "worker": "HARNESS_WORKER_URL",
    "api": "HARNESS_API_URL",
}
_FIELDS = {
    "convex": "convex_url",
    "inngest": "inngest_base_url",
    "chroma": "chroma_url",
    "model": "local_model_url",
    "simulated": "simulated_url",
    "worker": "worker_url",
    "api": "api_url",
}
_OURS = ("HARNESS_", "INNGEST_", "CONVEX_", "CHROMA_", "CLERK_", "OPENAI_")
_FALSE = ("0", "false", "no", "off")


class _Given(Settings):
    """Settings of exactly the values they are given; the process's environment adds nothing."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that a process with this environment would read."""
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in environment.items()}
    return _Given(**source())


def without_ours(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without any variable that configures the pipeline: for tests.

    Args:
        environment: default: the process's.
    """
    given = os.environ if environment is None else environment
    return {name: value for name, value in given.items() if not name.startswith(_OURS)}


def without_stray_key(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose OpenAI key and address stay only where a model is named to use them."""
    named = environment.get("HARNESS_MODEL", "").partition("?")[0]
    if named not in ("", SIMULATED_MODEL, LOCAL_MODEL):
        return dict(environment)
    stray = ("OPENAI_API_KEY", "OPENAI_BASE_URL")
    return {name: value for name, value in environment.items() if name not in stray}


def default_url(part: str) -> str:
    """Where a part is by default."""
    return str(Settings.model_fields[_FIELDS[part]].default)


def url_of(part: str, settings: Settings) -> str:
    """Where the settings say that a part is."""
    return str(getattr(settings, _FIELDS[part]))


def local_parts(environment: Mapping[str, str]) -> list[str]:
    """The parts that this machine runs, in their order of starting.

    Outside `HARNESS_ENV=local` every service is somebody else's; otherwise one is when its
    variable names another address than the default. A model that no setting asks for stays off.
    """
    if environment.get("HARNESS_ENV", "local") != "local":
        return list(APPS)
    parts = [
        part
        for part in SERVICES
        if environment.get(URL_VARIABLES[part], default_url(part)) == default_url(part)
    ]
    if environment.get("INNGEST_DEV", "1").lower() in _FALSE and "inngest" in parts:
        parts.remove("inngest")
    models = {environment.get("HARNESS_MODEL") or LOCAL_MODEL}
    models.add(environment.get("HARNESS_FALLBACK_MODEL") or "")
    if LOCAL_MODEL not in models and "model" in parts:
        parts.remove("model")
    return [*parts, *APPS]
