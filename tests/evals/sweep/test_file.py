from pathlib import Path

import pytest

import evals.sweep
from evals.sweep.file import read_sweep
from harness.errors import HarnessError
from harness.local.environment import settings_from

EXAMPLES = Path(evals.sweep.__file__).parent / "examples"


@pytest.fixture
def read(tmp_path):
    def written(text):
        file = tmp_path / "mine.toml"
        file.write_text(text)
        return read_sweep(file)

    return written


def test_a_grid_is_every_combination_in_the_order_of_the_file(read):
    sweep = read(
        """
        task = "retrieval"
        [settings]
        embedder_threads = 2
        [grid]
        retriever = ["hybrid", "dense"]
        HARNESS_CONTEXT_BUDGET_TOKENS = [1200, 300]
        """
    )
    assert [run.settings for run in sweep.runs] == [
        {"embedder_threads": 2, "retriever": retriever, "context_budget_tokens": budget}
        for retriever in ("hybrid", "dense")
        for budget in (1200, 300)
    ]
    assert sweep.varied == ("retriever", "HARNESS_CONTEXT_BUDGET_TOKENS")
    assert (sweep.name, sweep.metric, sweep.source.split) == ("mine", "recall@10", "tune")


def test_a_list_is_taken_as_it_is_and_may_name_its_runs(read):
    sweep = read(
        """
        task = "tools"
        split = "test"
        [[runs]]
        [[runs]]
        name = "taught"
        exemplars = 5
        tools_offered = 3
        """
    )
    assert [run.name for run in sweep.runs] == ["as it is", "taught"]
    assert sweep.runs[1].options == {"exemplars": 5}
    assert sweep.runs[1].settings == {"tools_offered": 3}


def test_paths_begin_at_the_folder_of_the_file(read, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    sweep = read('task = "retrieval"\n[[runs]]\nranker = "mine.json"\n')
    assert sweep.runs[0].settings == {"ranker": tmp_path / "mine.json"}


def test_what_runs_set_reaches_their_own_processes_as_variables(read, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    sweep = read(
        """
        task = "pipeline"
        [settings]
        model = "simulated"
        sqlite_synchronous = "NORMAL"
        [[runs]]
        ranker = "mine.json"
        [[runs]]
        fetch_allow = ["example.org"]
        HARNESS_MAX_TURNS = 2
        """
    )
    shared = {"HARNESS_MODEL": "simulated", "HARNESS_SQLITE_SYNCHRONOUS": "NORMAL"}
    assert [run.environment for run in sweep.runs] == [
        shared | {"HARNESS_RANKER": str(tmp_path / "mine.json")},
        shared | {"HARNESS_FETCH_ALLOW": '["example.org"]', "HARNESS_MAX_TURNS": "2"},
    ]
    for run in sweep.runs:
        told = settings_from(run.environment)
        assert {name: getattr(told, name) for name in run.settings} == run.settings


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_examples_can_be_run(path):
    assert len(read_sweep(path).runs) > 1


def test_answers_are_kept_unless_told_otherwise(read):
    calls = 'task = "calls"\n[grid]\nprotocol = ["native", "json"]\n'
    assert read(calls).answer_cache
    assert not read(f"answer_cache = false\n{calls}").answer_cache


GRID = '[grid]\nretriever = ["dense"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task = ", "is not TOML"),
        (f'task = "poetry"\n{GRID}', "task is 'poetry', which can not be swept.*retrieval"),
        (f'task = "retrieval"\nspeed = 1\n{GRID}', "speed: Extra inputs"),
        (f'task = "retrieval"\nsplit = "some"\n{GRID}', "split: Input should be 'tune'"),
        (f'task = "retrieval"\nlimit = 0\n{GRID}', "limit: Input should be greater than 0"),
        (f'task = "retrieval"\nmetric = "top1"\n{GRID}', "metric is 'top1'.*recall@10"),
        (f'task = "retrieval"\nper_tool = 3\n{GRID}', "per_tool is of the task tools"),
        (f'task = "retrieval"\nfilters = ["?"]\n{GRID}', "--filter '\\?' is not COLUMN=VALUE"),
        ('task = "retrieval"', "either \\[grid\\] or \\[\\[runs\\]\\]"),
        (f'task = "retrieval"\n{GRID}[[runs]]\n', "either \\[grid\\] or \\[\\[runs\\]\\]"),
        ('task = "retrieval"\nruns = []', "\\[\\[runs\\]\\] is empty"),
        ('task = "retrieval"\n[grid]\n', "\\[grid\\] is empty"),
        ('task = "retrieval"\n[grid]\nretriever = []', "grid.retriever is empty"),
        ('task = "retrieval"\n[grid]\nretreiver = ["dense"]', "grid.retreiver: there is no such"),
        ('task = "retrieval"\n[grid]\nexemplars = [1]', "grid.exemplars: there is no such"),
        ('task = "retrieval"\n[grid]\nretriever = ["dens"]', "grid.retriever is 'dens': Input"),
        ('task = "retrieval"\n[grid]\nranker = ["no.json"]', "grid.ranker: there is no .*no.json"),
        (
            'task = "retrieval"\n[grid]\nmodel_prices = ["{"]',
            "grid.model_prices is not of the setting's",
        ),
        ('task = "pipeline"\n[grid]\nmcp_servers = ["{}"]', "it may hold secrets, and what runs"),
        ('task = "pipeline"\n[grid]\njudge = ["a"]', "judge can not be swept: scores of different"),
        ('task = "pipeline"\n[grid]\nHARNESS_ENV = ["staging"]', "swept: it says whose services"),
        (
            'task = "calls"\n[grid]\nretriever = ["dense"]',
            "swept: no figure of this task.*protocol",
        ),
        (
            'task = "calls"\n[grid]\nmodel_protocol = ["json"]',
            "swept: only models of other servers",
        ),
        ('task = "calls"\n[grid]\nprotocol = ["xml"]', "protocol is 'xml'.*native or json"),
        (f'task = "retrieval"\nanswer_cache = true\n{GRID}', "answer_cache is of tasks that ask"),
        ('task = "retrieval"\n[grid]\nmemory_hits = [5]', "memory_hits can not be swept: ten"),
        ('task = "retrieval"\n[grid]\nCHROMA_URL = ["x"]', "CHROMA_URL can not be swept: it says"),
        ('task = "retrieval"\n[grid]\nopenai_api_key = ["x"]', "can not be swept: it says where"),
        (
            'task = "retrieval"\n[grid]\nsqlite_synchronous = ["FULL"]',
            "can not be swept: the engines read it.*HARNESS_SQLITE_SYNCHRONOUS",
        ),
        ('task = "tools"\nsplit = "test"\n[grid]\nexemplars = [-1]', "exemplars is -1, not a"),
        ('task = "tools"\n[grid]\nexemplars = [0, 1]', "taken from the split tune, and split is"),
        (
            'task = "retrieval"\n[grid]\nretriever = ["dense", "dense"]',
            "2 runs have the same names: retriever=dense",
        ),
        (
            'task = "retrieval"\n[[runs]]\nname = "a"\n[[runs]]\nname = "b"\n',
            "2 runs have the same settings: {}",
        ),
        (
            'task = "retrieval"\n[[runs]]\nretriever = "dense"\nHARNESS_RETRIEVER = "dense"\n',
            "retriever and HARNESS_RETRIEVER are the same setting.*one way",
        ),
        (
            'task = "retrieval"\n'
            '[[runs]]\nretriever = "dense"\n[[runs]]\nHARNESS_RETRIEVER = "dense"\n',
            "retriever and HARNESS_RETRIEVER are the same setting",
        ),
        (
            f'task = "tools"\n[settings]\ntools_offered = 1\nHARNESS_TOOLS_OFFERED = 2\n{GRID}',
            "tools_offered and HARNESS_TOOLS_OFFERED are the same setting",
        ),
    ],
)
def test_what_can_not_be_run_is_one_line_that_names_it(read, text, said):
    with pytest.raises(HarnessError, match=f"mine.toml.*{said}") as raised:
        read(text)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(HarnessError, match="can not be read: No such file"):
        read_sweep(tmp_path / "none.toml")
