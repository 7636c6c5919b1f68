import base64
import json
import subprocess
import sys

import pytest

from harness import cli, services
from harness.errors import HarnessError


@pytest.fixture
def harness(monkeypatch, capsys, tmp_path):
    """Runs the command line in this process; answers exit code, output and errors."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    from harness.settings import get_settings

    def run(*arguments):
        get_settings.cache_clear()
        monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    yield run
    get_settings.cache_clear()


def failing(error):
    def register(app):
        @app.command("fail")
        def fail() -> None:
            raise error

        @app.command("other")
        def other() -> None:
            pass

    return register


@pytest.fixture
def command_that_raises(monkeypatch):
    def install(error):
        monkeypatch.setattr(cli, "REGISTER", {"fail": failing(error)})

    return install


def test_an_error_a_user_can_act_on_is_one_line_and_exit_2(harness, command_that_raises):
    command_that_raises(HarnessError("the disk is full", "Free some of it"))
    code, out, err = harness("fail")
    assert (code, out) == (2, "")
    assert err == "error: the disk is full. Free some of it\n"


def test_an_unforeseen_error_is_one_line_without_a_traceback(harness, command_that_raises):
    command_that_raises(RuntimeError("first line\nsecond line"))
    code, _, err = harness("fail")
    assert code == 2
    assert err == "error: RuntimeError: first line (set HARNESS_DEBUG=1 to see where)\n"


def test_debugging_shows_where_an_error_is_from(harness, command_that_raises, monkeypatch):
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    command_that_raises(RuntimeError("boom"))
    monkeypatch.setattr(sys, "argv", ["harness", "fail"])
    with pytest.raises(RuntimeError, match="boom"):
        cli.main()


def test_a_bad_variable_is_named_with_its_value(harness, monkeypatch):
    monkeypatch.setenv("HARNESS_ENV", "moon")
    code, _, err = harness("token", "user_a")
    assert code == 2
    assert err.startswith("error: HARNESS_ENV is 'moon'")
    assert err.count("\n") == 1


def test_an_unknown_command_is_exit_2(harness):
    code, _, err = harness("conjure")
    assert code == 2
    assert "conjure" in err


class Broken:
    value = "broken.cli:register"

    def __lt__(self, other):
        return True

    def load(self):
        raise ImportError("No module named 'abacus'")


def test_a_package_that_cannot_be_loaded_is_one_line(harness, monkeypatch):
    monkeypatch.setattr(cli.importlib.metadata, "entry_points", lambda group: [Broken()])
    code, out, err = harness("--help")
    assert code == 0
    assert "up" in out
    assert err.count("\n") == 1
    assert "broken.cli" in err
    assert "abacus" in err


def test_our_own_commands_load_no_other_package(harness, monkeypatch):
    monkeypatch.setattr(cli.importlib.metadata, "entry_points", lambda group: [Broken()])
    code, _, err = harness("token", "user_a")
    assert (code, err) == (0, "")


def test_help_imports_nothing_that_is_slow():
    slow = {"chromadb", "mlflow", "onnxruntime", "openai", "pandas", "polars", "inngest"}
    script = (
        "import sys; from harness.cli import build_app; build_app(['--help']);"
        f"sys.exit(', '.join(sorted({slow} & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_token_speaks_for_the_user_for_a_minute(harness):
    _, out, _ = harness("token", "user_a")
    payload = out.strip().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == "user_a"
    assert claims["exp"] - claims["iat"] == 60


def test_no_development_token_is_minted_for_a_real_clerk(harness, monkeypatch):
    monkeypatch.setenv("CLERK_JWT_KEY", "-----BEGIN PUBLIC KEY-----\nreal\n")
    code, out, err = harness("token", "user_a")
    assert (code, out) == (2, "")
    assert "CLERK_JWT_KEY" in err


def test_an_engine_alone_takes_its_own_options():
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "local", "simulated", "--ttft-ms", "-3"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "ttft" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_is_configured_elsewhere_is_not_run_here(harness, monkeypatch):
    monkeypatch.setenv("INNGEST_BASE_URL", "https://inngest.example")
    code, _, err = harness("local", "inngest")
    assert code == 2
    assert "https://inngest.example" in err


def test_pages_without_any_run_say_how_to_get_one(harness):
    code, _, err = harness("ui")
    assert code == 2
    assert "harness eval" in err


def test_doctor_names_a_service_that_does_not_answer(harness, monkeypatch):
    monkeypatch.setenv("CONVEX_URL", "http://127.0.0.1:9")
    code, out, _ = harness("doctor", "--json")
    found = {finding["part"]: finding for finding in json.loads(out)}
    assert code == 1
    assert found["convex"]["state"] == "wrong"
    assert "CONVEX_URL" in found["convex"]["remedy"]


def test_doctor_finds_no_fault_in_a_stack_that_is_not_started(harness, monkeypatch):
    monkeypatch.setattr("harness.local.diagnosis._TIMEOUT_S", 0.2)
    for name in ("API", "WORKER"):
        monkeypatch.setenv(f"HARNESS_{name}_URL", "http://127.0.0.1:9")
    _, out, _ = harness("doctor", "--json")
    found = {finding["part"]: finding for finding in json.loads(out)}
    assert found["api"]["state"] == "not running"
    assert found["api"]["remedy"] == "start it with `harness up`"


def test_doctor_shows_no_secret(harness, monkeypatch):
    monkeypatch.setenv("HARNESS_MODEL", "gpt-x")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", "deploy-very-secret")
    _, out, _ = harness("doctor", "--json")
    assert "OPENAI_API_KEY" in out
    assert "very-secret" not in out


def test_labelled_requests_are_learned_from_a_file_and_only_from_it(
    harness, ephemeral_chroma, monkeypatch, tmp_path
):
    monkeypatch.setattr(services, "_LateChroma", lambda url: ephemeral_chroma)
    before = {collection.name for collection in ephemeral_chroma.list_collections()}
    file = tmp_path / "labelled.jsonl"
    file.write_text('{"request": "ring", "tool": "bell"}\n{"request": "pause", "tool": "wait"}\n')
    code, out, err = harness("fit", "tools", "--file", file)
    assert (code, err) == (0, "")
    assert out == "2 labelled requests for 2 tools\nof tools that are not built in: bell\n"
    # Other tests of this process share the Chroma, not the embedder.
    (collection,) = [c for c in ephemeral_chroma.list_collections() if c.name not in before]
    assert set(collection.get(include=["documents"])["documents"]) == {"ring", "pause"}
    file.write_text("")
    assert harness("fit", "tools", "--file", file)[0] == 0
    assert collection.count() == 0


def test_a_file_of_labelled_requests_that_is_not_there_is_one_line(harness):
    code, _, err = harness("fit", "tools", "--file", "none.jsonl")
    assert (code, err.count("\n")) == (2, 1)
    assert "none.jsonl" in err


def test_indexing_what_is_no_folder_is_one_line(harness, tmp_path):
    code, out, err = harness("index", str(tmp_path / "none"))
    assert (code, out) == (2, "")
    assert err == f"error: '{tmp_path / 'none'}' is not there. Name a folder of Markdown or text.\n"


def test_reindexing_with_an_unknown_embedder_names_it(harness):
    code, _, err = harness("reindex", "--embedder", "no-such")
    assert (code, err.count("\n")) == (2, 1)
    assert "no-such" in err


def test_an_interrupted_command_says_how_to_go_on(harness, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.commands._interrupt.run", lambda command: command.close())
    for arguments in (["index", str(tmp_path)], ["reindex"]):
        code, out, _ = harness(*arguments)
        assert (code, out) == (130, "interrupted; run it again to go on\n")


SERVERS = {
    "time": {"command": sys.executable, "args": ["-m", "mcp_server_time"]},
    "gone": {"url": "http://hunter2@127.0.0.1:9/mcp?key=hunter2", "headers": {"X": "hunter2"}},
}


def test_doctor_has_a_line_for_each_mcp_server_and_one_that_is_away_is_no_fault(
    harness, monkeypatch
):
    monkeypatch.setenv("HARNESS_MCP_SERVERS", json.dumps(SERVERS))
    code, out, _ = harness("doctor", "--json")
    found = {row["part"]: row for row in json.loads(out)}
    assert (found["mcp time"]["state"], found["mcp time"]["remedy"]) == ("ok", "2 tools")
    assert found["mcp gone"]["state"] == "not running"
    assert "its tools are off until it answers" in found["mcp gone"]["remedy"]
    assert "hunter2" not in out
    assert code == 0


def test_tools_are_listed_and_written_with_their_schemas(harness, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_MCP_SERVERS", json.dumps(SERVERS))
    file = tmp_path / "tools.json"
    code, out, err = harness("tools", "--json", str(file))
    assert code == 0
    assert "time_convert_time" in out
    assert "the tools of MCP server gone (http://127.0.0.1:9) are missing" in err
    assert "hunter2" not in out + err
    written = {tool["name"]: tool for tool in json.loads(file.read_text())["tools"]}
    assert written["time_convert_time"]["source"] == "mcp:time"
    calculate = written["calculate"]
    assert calculate["parameters"]["properties"]["expression"]["type"] == "string"
    assert calculate["result"] != {}
    assert (calculate["effect"], calculate["permission"]) == ("read", "auto")


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ({"a": {"command": "x", "env": {"KEY": ["hunter2"]}}}, "HARNESS_MCP_SERVERS.a.env.KEY: "),
        ({"a": {"args": ["hunter2"]}}, "give either a command or a url"),
        ({"Two Words": {"command": "x"}}, "should match pattern"),
        (["hunter2"], "HARNESS_MCP_SERVERS: Input should be"),
    ],
)
def test_a_wrong_mcp_setting_is_one_line_without_its_value(harness, monkeypatch, servers, says):
    monkeypatch.setenv("HARNESS_MCP_SERVERS", json.dumps(servers))
    code, _, err = harness("tools")
    assert (code, err.count("\n")) == (2, 1)
    assert says in err
    assert "hunter2" not in err
