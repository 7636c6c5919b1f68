"""BFCL v4: the single-turn cases of the Berkeley Function Calling Leaderboard.

Source: Patil et al., The Berkeley Function Calling Leaderboard, ICML 2025;
https://gorilla.cs.berkeley.edu/leaderboard.html. Files are those of the package `bfcl-eval`: below
a data directory, else in the package where it is installed.
"""

from importlib.util import find_spec
from pathlib import Path

from evals.datasets.files import asked_words, info_of, read_lines, split_by_hash
from evals.datasets.records import CallCase, CallSet, DatasetError

CATEGORIES = (
    "simple_python", "simple_java", "simple_javascript", "multiple", "parallel",
    "parallel_multiple", "irrelevance", "live_simple", "live_multiple", "live_parallel",
    "live_parallel_multiple", "live_irrelevance", "live_relevance",
)  # fmt: skip
WITHOUT_TRUTH = {"irrelevance", "live_irrelevance", "live_relevance"}
PATTERN = "BFCL_v4_*.json"
TEST_SHARE = 1 / 2  # by the hash of what is asked: some of it stands in several categories


def installed() -> Path | None:
    """The data of the installed package, which is looked for and never imported."""
    spec = find_spec("bfcl_eval")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        return Path(place) / "data"
    return None


def read_bfcl(folder: Path) -> CallSet:
    """Read every category that is there.

    Raises:
        DatasetError: a file is not in the format, or a case has no ground truth.
    """
    files: list[str] = []
    cases: list[CallCase] = []
    for category in CATEGORIES:
        name = f"BFCL_v4_{category}.json"
        if not (folder / name).is_file():
            continue
        files.append(name)
        truth_file = f"possible_answer/{name}"
        truths = {}
        try:
            if category not in WITHOUT_TRUTH:
                files.append(truth_file)
                truths = {
                    each["id"]: tuple(each["ground_truth"])
                    for each in read_lines(folder / truth_file)
                }
            cases += [
                CallCase(
                    id=item["id"],
                    split=split_by_hash(asked_words(item["question"]), TEST_SHARE),
                    category=category,
                    question=item["question"],
                    functions=item["function"],
                    truth=() if category in WITHOUT_TRUTH else truths[item["id"]],
                )
                for item in read_lines(folder / name)
            ]
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{folder / name}: not in BFCL's format: {error!r}") from None
    return CallSet(info=info_of("bfcl", folder, files), cases=tuple(cases))
