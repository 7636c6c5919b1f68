import sys
import textwrap
from collections.abc import Callable

import httpx
import pytest

from harness.local.part import PartSpec
from harness.local.ports import free_port

SERVER = """
import http.server, os, sys
{before}
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status})
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())
    do_PUT = do_GET
    def log_message(self, format, *arguments):
        print(self.command, self.path, flush=True)
http.server.HTTPServer(("127.0.0.1", {port}), Answer).serve_forever()
"""


@pytest.fixture
def fake_spec() -> Callable[..., PartSpec]:
    """Makes the spec of a tiny HTTP server; `before` runs before it listens."""

    def make(name="fake", *, before="", status=200, tier=0, when_ready=None) -> PartSpec:
        port = free_port()
        code = SERVER.format(before=textwrap.dedent(before), status=status, port=port)
        command = [sys.executable, "-S", "-c", code]
        url = f"http://127.0.0.1:{port}"
        return PartSpec(name, command, url, "/health", tier=tier, when_ready=when_ready)

    return make


@pytest.fixture
async def http() -> httpx.AsyncClient:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client
