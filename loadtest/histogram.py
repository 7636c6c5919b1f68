"""Percentiles of latencies at three digits, which Locust's own buckets do not keep."""

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

LONGEST_MS = 3_600_000
MICROSECONDS = 1000


def percentiles(values_ms: Iterable[float | None], *quantiles: float) -> list[float]:
    """Percentiles of latencies.

    Args:
        values_ms: milliseconds; None is left out.
        quantiles: which, in percent.

    Returns:
        One value in milliseconds for each quantile; 0.0 when there are no latencies.
    """
    histogram = HdrHistogram(1, LONGEST_MS * MICROSECONDS, 3)
    for value in values_ms:
        if value is not None:
            histogram.record_value(max(1, int(value * MICROSECONDS)))
    return [histogram.get_value_at_percentile(quantile) / MICROSECONDS for quantile in quantiles]
