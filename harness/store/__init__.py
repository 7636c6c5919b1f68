"""Access to Convex: typed calls, and live views of what changes."""

from harness.store._user import UserStore
from harness.store.client import Store
from harness.store.errors import StoreError, StoreUnavailable
from harness.store.subscriptions import Subscriber

__all__ = ["Store", "StoreError", "StoreUnavailable", "Subscriber", "UserStore"]
