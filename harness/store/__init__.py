"""Access to Convex: typed calls, and live views of what changes."""

from harness.store._indexing import ThreadLength, Unindexed
from harness.store._user import UserStore
from harness.store.client import Store
from harness.store.errors import StoreError, StoreUnavailable
from harness.store.results import (
    AnalyticsEvent,
    Appended,
    Attempt,
    Awaited,
    Begun,
    Cancelled,
    CurrentPreferences,
    Ended,
    Exchange,
    Flag,
    ImportedMessage,
    Page,
    PlannedCall,
    Preference,
    StartedCall,
    StreamState,
)
from harness.store.subscriptions import Subscriber

__all__ = [
    "AnalyticsEvent",
    "Appended",
    "Attempt",
    "Awaited",
    "Begun",
    "Cancelled",
    "CurrentPreferences",
    "Ended",
    "Exchange",
    "Flag",
    "ImportedMessage",
    "Page",
    "PlannedCall",
    "Preference",
    "StartedCall",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StreamState",
    "Subscriber",
    "ThreadLength",
    "Unindexed",
    "UserStore",
]
