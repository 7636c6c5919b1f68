"""The Inngest side: the functions that a worker serves."""

from typing import TYPE_CHECKING, Any

import inngest

if TYPE_CHECKING:
    from harness.services import Services


def functions(services: "Services") -> list[inngest.Function[Any]]:
    """Every function of the app, for the serve endpoint.

    Args:
        services: what the functions work with; they live as long as the worker.
    """
    # The API wants this package's client alone, and Chroma and the models' code take seconds.
    from harness.jobs.cancellation import release_thread
    from harness.jobs.forgetting import forget_thread, forget_user
    from harness.jobs.process_message import process_message

    return [
        process_message(services),
        release_thread(services),
        forget_thread(services),
        forget_user(services),
    ]
