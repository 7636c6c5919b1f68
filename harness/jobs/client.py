"""The Inngest client, for sending events and for serving functions."""

import logging

import inngest
from pydantic import SecretStr

from harness.settings import APP_ID, Settings


def create_client(settings: Settings) -> inngest.Inngest:
    """The client of the Inngest that the settings name.

    `INNGEST_DEV` tells a development server (no signatures) from a production one;
    `INNGEST_BASE_URL` names a server of one's own. In production without it, it is Inngest Cloud.
    """
    dev = settings.inngest_dev not in (False, "", "0", "false")
    base_url: str | None = settings.inngest_base_url
    if isinstance(settings.inngest_dev, str) and settings.inngest_dev.startswith("http"):
        base_url = settings.inngest_dev
    elif not dev and "inngest_base_url" not in settings.model_fields_set:
        base_url = None
    return inngest.Inngest(
        app_id=APP_ID,
        api_base_url=base_url,
        event_api_base_url=base_url,
        event_key=_secret(settings.inngest_event_key),
        signing_key=_secret(settings.inngest_signing_key),
        is_production=not dev,
        logger=logging.getLogger("harness.inngest"),
    )


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
