"""A load run's figures."""

from loadtest.histogram import percentiles
from loadtest.plan import LoadResult

UNITS = {
    "offered_per_s": "messages/s",
    "achieved_per_s": "messages/s",
    "completed_per_s": "messages/s",
    "dropped": "messages",
    "errors": "messages",
}


def measure(result: LoadResult, duration_s: float) -> dict[str, float]:
    """The figures of one run, by their stable names.

    `errors` counts messages that were refused, failed or cancelled; `dropped` those that were sent
    and not seen to end before the drain was over. Latencies count from when a message was due.

    Args:
        result: of the run.
        duration_s: seconds during which messages were due.
    """
    samples = result.samples
    acked = [sample for sample in samples if sample.ack_ms is not None]
    completed = [sample for sample in samples if sample.status == "completed"]
    last_s = max((s.due_s + (s.completed_ms or 0) / 1000 for s in completed), default=duration_s)
    ack_p50, ack_p99 = percentiles((s.ack_ms for s in samples), 50, 99)
    visible_p50, visible_p95 = percentiles((s.visible_ms for s in samples), 50, 95)
    completed_p50, completed_p95 = percentiles((s.completed_ms for s in completed), 50, 95)
    (lag_p99,) = percentiles((s.lag_ms for s in samples), 99)
    return {
        "offered_per_s": len(samples) / duration_s,
        "achieved_per_s": len(acked) / duration_s,
        "completed_per_s": len(completed) / max(last_s, duration_s),
        "dropped": sum(s.status in ("sent", "acked", "unsent") for s in samples),
        "errors": sum(s.status in ("refused", "failed", "cancelled") for s in samples),
        "ack_p50_ms": ack_p50,
        "ack_p99_ms": ack_p99,
        "visible_p50_ms": visible_p50,
        "visible_p95_ms": visible_p95,
        "completed_p50_ms": completed_p50,
        "completed_p95_ms": completed_p95,
        "generator_lag_p99_ms": lag_p99,
    }
