import pytest

from loadtest.histogram import percentiles
from loadtest.measures import measure
from loadtest.plan import LoadResult, Sample


def result(*samples: Sample) -> LoadResult:
    return LoadResult(started_at_ms=0, elapsed_s=1, samples=list(samples))


def test_percentiles_keep_three_digits():
    assert percentiles(range(1, 1001), 50, 99) == pytest.approx([500, 990], rel=0.001)


def test_a_message_that_never_ended_is_dropped_and_one_that_failed_is_an_error():
    figures = measure(
        result(
            Sample(due_s=0, status="completed", ack_ms=2, visible_ms=20, completed_ms=40),
            Sample(due_s=0.1, status="acked", ack_ms=2),
            Sample(due_s=0.2, status="failed", ack_ms=2, completed_ms=9),
            Sample(due_s=0.3, status="refused", error="HTTP 429"),
        ),
        duration_s=2,
    )

    assert (figures["dropped"], figures["errors"]) == (1, 2)
    assert (figures["offered_per_s"], figures["achieved_per_s"]) == (2, 1.5)
    assert figures["completed_p50_ms"] == pytest.approx(40, rel=0.001)


def test_messages_that_finish_after_the_run_lower_the_completed_rate():
    late = Sample(due_s=1, status="completed", ack_ms=1, completed_ms=3000)

    assert measure(result(late), duration_s=2)["completed_per_s"] == 1 / 4
