"""Whether the API lives and can work, and its metrics."""

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel

from harness.chat.routes._depends import PartsOf
from harness.telemetry.metrics import exposition

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """Whether messages can be taken, and which part can't be reached."""

    ready: bool
    convex: bool
    inngest: bool


@router.get("/healthz", response_model=Alive)
async def healthz() -> Alive:
    """Answers as long as the process lives."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
async def readyz(parts: PartsOf, response: Response) -> Ready:
    """Whether everything a message needs to be taken is there."""
    convex, queue = await asyncio.gather(
        parts.sending.store.answers(), parts.sending.events.answers()
    )
    ready = Ready(ready=convex and queue, convex=convex, inngest=queue)
    response.status_code = 200 if ready.ready else 503
    return ready


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Prometheus metrics of this process."""
    body, content_type = exposition()
    return Response(body, media_type=content_type)
