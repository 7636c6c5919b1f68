"""What one load run does, handed to the Locust process as a file."""

from pathlib import Path

from pydantic import BaseModel

from loadtest.arrivals import Arrivals


class LoadUser(BaseModel):
    """A user who sends, with the token that both the API and Convex accept."""

    user_id: str
    token: str
    threads: list[str]


class LoadPlan(BaseModel):
    """One run of a scenario. Times are seconds."""

    scenario: str
    api_url: str
    convex_url: str
    model: str
    rate: float
    duration_s: float
    arrivals: Arrivals
    seed: int
    drain_s: float
    users: list[LoadUser]
    texts: list[str]
    result_file: Path


class Sample(BaseModel):
    """One message of a run; times are milliseconds from when it was due to be sent."""

    due_s: float
    message_key: str | None = None
    lag_ms: float = 0.0  # how late the generator itself was
    ack_ms: float | None = None
    visible_ms: float | None = None  # its first text reached a subscriber
    completed_ms: float | None = None
    status: str = "unsent"
    error: str | None = None


class LoadResult(BaseModel):
    """What the Locust process hands back."""

    started_at_ms: int
    elapsed_s: float
    samples: list[Sample]
