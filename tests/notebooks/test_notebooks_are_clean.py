import json
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
SMALL = 60_000  # bytes


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def test_a_notebook_is_valid_and_of_the_format_that_has_cell_ids(notebook):
    nbformat.validate(notebook)

    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)


def test_cell_ids_are_words_so_that_a_diff_names_the_cell(path):
    # Read as JSON: reading as a notebook would make up the ids that are missing.
    cells = json.loads(path.read_text("utf-8"))["cells"]
    ids = [cell["id"] for cell in cells]

    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []


def test_no_output_is_kept(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert code
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_the_first_cell_states_the_question_and_the_answer(notebook):
    first = notebook.cells[0]
    heading, _, rest = first.source.partition("\n")

    assert first.cell_type == "markdown"
    assert re.fullmatch(r"# .+\?", heading)
    assert re.search(r"^\*\*Answer\.\*\* \w+", rest, re.MULTILINE)


def test_the_first_code_holds_the_parameters(notebook):
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")

    assert first.id == "parameters"
    assert re.search(r"^[A-Z_]+ = ", first.source, re.MULTILINE)


def test_a_notebook_is_small(path):
    assert path.stat().st_size < SMALL
