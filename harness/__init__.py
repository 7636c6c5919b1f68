"""A research and evaluation harness for chat that runs as background jobs.

What stands in `__all__` is the public API; everything else may change. Names are imported when
they are first used, because the models' and the memory's code take seconds to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.app import create_api, create_worker
    from harness.client import ChatClient
    from harness.errors import HarnessError
    from harness.keys import mint_token
    from harness.local.supervisor import Stack
    from harness.models import Ack, Message, Status, Thread, ToolCall, Usage
    from harness.services import Services, build_services
    from harness.settings import Settings, get_settings
    from harness.store import Store, StreamState, Subscriber, UserStore
    from harness.tools.registry import Example, Registry, tool

__all__ = [
    "Ack",
    "ChatClient",
    "Example",
    "HarnessError",
    "Message",
    "Registry",
    "Services",
    "Settings",
    "Stack",
    "Status",
    "Store",
    "StreamState",
    "Subscriber",
    "Thread",
    "ToolCall",
    "Usage",
    "UserStore",
    "build_services",
    "create_api",
    "create_worker",
    "get_settings",
    "mint_token",
    "tool",
]

_HOMES = {
    "harness.app": ("create_api", "create_worker"),
    "harness.client": ("ChatClient",),
    "harness.errors": ("HarnessError",),
    "harness.keys": ("mint_token",),
    "harness.local.supervisor": ("Stack",),
    "harness.models": ("Ack", "Message", "Status", "Thread", "ToolCall", "Usage"),
    "harness.services": ("Services", "build_services"),
    "harness.settings": ("Settings", "get_settings"),
    "harness.store": ("Store", "StreamState", "Subscriber", "UserStore"),
    "harness.tools.registry": ("Example", "Registry", "tool"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
