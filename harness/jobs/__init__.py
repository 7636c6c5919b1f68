"""The Inngest side: the functions that a worker serves."""

from typing import Any

import inngest

from harness.jobs.cancellation import release_thread
from harness.jobs.process_message import process_message
from harness.services import Services


def functions(services: Services) -> list[inngest.Function[Any]]:
    """Every function of the app, for the serve endpoint.

    Args:
        services: what the functions work with; they live as long as the worker.
    """
    return [process_message(services), release_thread(services)]
