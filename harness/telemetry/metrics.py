"""The Prometheus metrics of every process; a module that measures imports the one it feeds."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

MESSAGES_RECEIVED = Counter("harness_messages_received", "Messages sent to the API.")
MESSAGES_ACKED = Counter("harness_messages_acked", "Messages accepted.", ["flow"])
REQUESTS_REFUSED = Counter("harness_requests_refused", "Requests answered by an error.", ["code"])
ACK_SECONDS = Histogram(
    "harness_ack_seconds", "From a message's request to its ack.", buckets=_FAST
)
STEP_SECONDS = Histogram(
    "harness_step_seconds", "Duration of one step of a run.", ["step"], buckets=_SLOW
)
MODEL_TOKENS = Counter(
    "harness_model_tokens", "Tokens by model and kind.", ["model", "kind"]
)  # prompt | completion | cached
CACHE_LOOKUPS = Counter(
    "harness_cache_lookups", "Lookups by cache and outcome.", ["cache", "outcome"]
)  # hit | miss
ALERTS = Counter("harness_alerts", "Alerts raised.", ["kind"])
ANALYTICS_LOST = Counter("harness_analytics_lost", "Analytics events that were not kept.")


def count_lookup(cache: str, hit: bool) -> None:
    """Count one lookup of a cache."""
    CACHE_LOOKUPS.labels(cache, "hit" if hit else "miss").inc()


def exposition() -> tuple[bytes, str]:
    """What `/metrics` answers: the body and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
