from evals.datasets.loader import DatasetInfo
from evals.identity import code_hash, identity_key, run_identity
from harness.settings import Settings

DATA = DatasetInfo(name="mine", sha256="0" * 64, split="test")


def _key(settings=None, data=DATA, **options):
    return identity_key(run_identity("eval x", settings or Settings(), data, options))


def test_where_services_are_makes_no_other_run():
    moved = Settings(home="/elsewhere", CONVEX_URL="http://127.0.0.1:9", chroma_url="http://x")
    assert _key(moved) == _key()


def test_what_decides_figures_makes_another_run():
    keys = [
        _key(),
        _key(Settings(memory_hits=9)),
        _key(data=DATA.model_copy(update={"split": "tune"})),
        _key(data=DATA.model_copy(update={"sha256": "1" * 64})),
        _key(limit=3),
    ]
    assert len(set(keys)) == len(keys)


def test_a_fitted_file_counts_by_what_it_holds(tmp_path):
    ranker = tmp_path / "ranker.json"
    ranker.write_text("{}")
    before = _key(Settings(ranker=ranker))
    ranker.write_text('{"weights": {}}')
    assert _key(Settings(ranker=ranker)) != before


def test_code_counts_by_content_and_name_and_what_was_built_does_not(tmp_path):
    hashes = []
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "2"), ("__pycache__/a.pyc", "3")):
        path = tmp_path / "harness" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        hashes.append(code_hash.__wrapped__(tmp_path))
    assert len(set(hashes[:3])) == 3
    assert hashes[3] == hashes[2]
