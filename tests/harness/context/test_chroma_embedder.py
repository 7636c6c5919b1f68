import numpy as np
import pytest
from chromadb.api.types import EmbeddingFunction
from chromadb.utils import embedding_functions

from harness.context.chroma_embedder import DOWNLOADING, ChromaFunctionEmbedder
from harness.errors import HarnessError
from harness.settings import Settings


class Repeats(EmbeddingFunction):
    """Answers the vector of its configuration to each text."""

    def __init__(self, vector) -> None:
        self._vector = vector

    def __call__(self, input):
        if "fail" in input:
            raise RuntimeError("the model\nis on fire")
        return [np.array(self._vector, np.float32) for _ in input]

    @staticmethod
    def name():
        return "repeats"

    def get_config(self):
        return {"vector": self._vector}

    @staticmethod
    def build_from_config(config):
        return Repeats(config["vector"])


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setitem(embedding_functions.known_embedding_functions, "repeats", Repeats)

    def build(config='{"vector": [3, 4]}', name="repeats", **changed):
        return ChromaFunctionEmbedder(Settings(embedder_config=config, **changed), name)

    return build


def test_a_function_is_made_with_its_configuration(make):
    assert np.allclose(make().embed(["a", "b"]), [[0.6, 0.8], [0.6, 0.8]])


def test_its_configuration_is_part_of_its_name(make):
    names = {make(config).name for config in ('{"vector": [1]}', '{"vector": [2]}')}
    assert len(names) == 2
    assert all(name.startswith("chroma:repeats@") for name in names)


def test_a_function_that_fails_says_so_in_one_line(make):
    with pytest.raises(HarnessError, match=r"chroma:repeats@.* failed: the model is on fire"):
        make().embed(["fail"])


def test_dimensions_that_are_set_are_held(make):
    with pytest.raises(HarnessError, match="2 dimensions instead of 3"):
        make(embedder_dimensions=3).embed(["a"])


@pytest.mark.parametrize("vector", ["[0, 0]", "[1, NaN]"])
def test_a_vector_without_a_direction_is_refused(make, vector):
    with pytest.raises(HarnessError, match="without a direction"):
        make(f'{{"vector": {vector}}}').embed(["a"])


def test_an_unknown_function_is_refused_with_those_there_are(make):
    with pytest.raises(HarnessError, match=r"no embedding function 'word2vec'.*repeats"):
        make(name="word2vec")


@pytest.mark.parametrize("name", sorted(DOWNLOADING))
def test_one_that_would_download_a_model_is_refused(make, name):
    assert name in embedding_functions.known_embedding_functions
    with pytest.raises(HarnessError, match="would download"):
        make(name=name)


@pytest.mark.parametrize("config", ["{", "[1]", "words"])
def test_a_configuration_that_is_no_object_is_refused(make, config):
    with pytest.raises(HarnessError, match="HARNESS_EMBEDDER_CONFIG is no JSON object"):
        make(config)


def test_a_configuration_that_does_not_fit_is_refused(make):
    with pytest.raises(HarnessError, match="'repeats' can't be made: 'vector'"):
        make("{}")
