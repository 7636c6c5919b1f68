"""The simulated model server's routes."""

import json
import time
from collections import deque
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harness.errors import HarnessError
from harness.local.simulated._directives import Directives, parse_directives
from harness.local.simulated._faults import Fault, FaultBoard, FaultKind
from harness.local.simulated._plan import Plan, plan_answer
from harness.local.simulated._profile import Profile
from harness.local.simulated._request import ChatRequest
from harness.local.simulated._stream import CutHere, CutResponse, EventStream, paced
from harness.settings import SIMULATED_MODEL

_KEPT_REQUESTS = 200
_HEADER = "x-simulated-"
_FAULT_NAMES = {"fault": "kind", "times": "times", "after_tokens": "after_tokens",
                "retry_after_s": "retry_after_s", "stall_ms": "stall_ms"}  # fmt: skip


class SimulatedModel:
    """Answers chat completions from seeded draws.

    Args:
        profile: timing and length where a request does not override them, either in its model's
            name (`simulated?ttft_ms=0&tokens=20`) or in headers (`X-Simulated-Ttft-Ms: 0`).
        seed: equal seeds and requests give equal answers.
    """

    def __init__(self, profile: Profile, seed: int) -> None:
        self._profile = profile
        self._seed = seed
        self._faults = FaultBoard()
        self._requests: deque[dict[str, object]] = deque(maxlen=_KEPT_REQUESTS)

    async def chat(self, http: Request) -> Response:
        """`POST /v1/chat/completions`."""
        try:
            request = ChatRequest.model_validate(await http.json())
            directives = parse_directives(request.asked)
            profile, own = self._parameters(request, http)
            own = [*_directive_faults(directives), *own]
            offers = bool(request.offered_tools or request.json_schema)
            fault = self._faults.take(request.asked, own, offers_tools=offers)
            kind = fault.kind if fault else None
            plan = plan_answer(request, directives, profile, self._seed, kind)
        except (HarnessError, ValueError) as error:
            return _error(400, "invalid_request_error", _readable(error))
        record: dict[str, object] = {
            "model": request.model,
            "asked": request.asked,
            "turn": request.turn,
            "fault": str(kind) if kind else None,
            "outcome": "open",
        }
        self._requests.append(record)
        if fault and fault.kind is FaultKind.RATE_LIMIT:
            record["outcome"] = "refused"
            headers = {"retry-after": f"{fault.retry_after_s:g}"}
            return _error(429, "rate_limit_exceeded", "simulated rate limit", headers)
        if fault and fault.kind is FaultKind.SERVER_ERROR:
            record["outcome"] = "refused"
            return _error(500, "server_error", "simulated server error")
        if request.stream:
            return EventStream(request, plan, fault, record)
        return await _whole(request, plan, fault, record)

    def _parameters(self, request: ChatRequest, http: Request) -> tuple[Profile, list[Fault]]:
        values = {
            name.removeprefix(_HEADER).replace("-", "_"): value
            for name, value in http.headers.items()
            if name.startswith(_HEADER)
        }
        values |= dict(parse_qsl(request.model.partition("?")[2], keep_blank_values=True))
        fault = {_FAULT_NAMES[name]: values.pop(name) for name in list(values)
                 if name in _FAULT_NAMES}  # fmt: skip
        faults = []
        if fault:
            # A model that is named as faulty stays so unless told how often.
            faults = [Fault.parse({"times": None, **fault})]
        return self._profile.overridden(values), faults

    async def models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        model = {"id": SIMULATED_MODEL, "object": "model", "created": 0, "owned_by": "harness"}
        return JSONResponse({"object": "list", "data": [model]})

    async def health(self, _: Request) -> Response:
        """`GET /health`."""
        return JSONResponse(
            {"status": "ok", "simulated": True, "seed": self._seed, **self._profile.model_dump()}
        )

    async def faults(self, http: Request) -> Response:
        """`POST /faults` queues a fault, `GET` lists what is due, `DELETE` clears."""
        if http.method == "DELETE":
            self._faults.clear()
        elif http.method == "POST":
            try:
                values = await http.json()
                if not isinstance(values, dict):
                    raise HarnessError("a fault is a JSON object")
                self._faults.add(Fault.parse(values))
            except (HarnessError, ValueError) as error:
                return _error(400, "invalid_request_error", _readable(error))
        return JSONResponse({"faults": self._faults.queued()})

    async def requests(self, _: Request) -> Response:
        """`GET /requests`: the newest requests and how each ended, oldest first."""
        return JSONResponse({"requests": list(self._requests)})


def create_app(profile: Profile | None = None, seed: int = 0) -> Starlette:
    """The server as an ASGI application."""
    model = SimulatedModel(profile or Profile(), seed)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", model.chat, methods=["POST"]),
            Route("/v1/models", model.models),
            Route("/health", model.health),
            Route("/faults", model.faults, methods=["GET", "POST", "DELETE"]),
            Route("/requests", model.requests),
        ]
    )


async def _whole(
    request: ChatRequest, plan: Plan, fault: Fault | None, record: dict[str, object]
) -> Response:
    """The answer in one piece, once its last token is due."""
    choice = {"index": 0, "message": plan.message, "finish_reason": plan.finish_reason}
    body = JSONResponse(
        {
            "id": plan.id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.model,
            "choices": [choice],
            "usage": plan.usage,
        }
    )
    try:
        async for _ in paced(plan, fault):
            pass
    except CutHere:
        record["outcome"] = "cut"
        return CutResponse(body.body, media_type="application/json")
    record["outcome"] = "completed"
    return body


def _directive_faults(directives: Directives) -> list[Fault]:
    faults = []
    for directive in directives.faults:
        parameters = json.loads(directive.parameters)
        if not isinstance(parameters, dict):
            raise HarnessError(f"fault parameters {directive.parameters!r} are no JSON object")
        faults.append(Fault.parse({**parameters, "kind": directive.kind}))
    return faults


def _readable(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"
    return str(error)


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {"error": {"message": message, "type": code, "code": code, "param": None}}
    return JSONResponse(body, status_code=status, headers=headers)
