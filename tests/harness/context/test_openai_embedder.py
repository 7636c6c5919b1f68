import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from harness.context.openai_embedder import BATCH, OpenAIEmbedder
from harness.errors import HarnessError
from harness.settings import Settings

KEY = "sk-a-key-nobody-may-see"


@pytest.fixture
def make(embedding_server):
    made = []

    def build(model="small-model", **changed):
        given = {"embedder_base_url": f"{embedding_server.url}/v1", **changed}
        made.append(OpenAIEmbedder(Settings(**given), model))
        return made[-1]

    yield build
    for embedder in made:
        embedder.close()


def test_texts_go_in_batches(make, embedding_server):
    texts = [f"text {i}" for i in range(2 * BATCH + 1)]
    assert make().embed(texts).shape == (len(texts), embedding_server.dimensions)
    assert [len(request["input"]) for request in embedding_server.requests] == [BATCH, BATCH, 1]
    assert {request["model"] for request in embedding_server.requests} == {"small-model"}


def test_a_vector_is_the_servers_at_length_one(make, embedding_server):
    given = np.array(embedding_server.vector_of("a"))
    assert np.allclose(make().embed(["a"])[0], given / np.linalg.norm(given), atol=1e-6)


def test_the_first_answer_tells_the_dimensions(make, embedding_server):
    embedder = make()
    assert embedder.dimensions is None
    embedder.embed(["a"])
    assert embedder.dimensions == embedding_server.dimensions
    assert "dimensions" not in embedding_server.requests[0]


def test_dimensions_that_are_set_are_asked_for_and_are_another_embedder(make, embedding_server):
    embedder = make(embedder_dimensions=8)
    assert embedder.embed(["a"]).shape == (1, 8)
    assert embedding_server.requests[0]["dimensions"] == 8
    assert embedder.name == "openai:small-model@8"


def test_a_later_answer_of_other_dimensions_is_refused(make, embedding_server):
    embedder = make()
    embedder.embed(["a"])
    embedding_server.dimensions = 12
    with pytest.raises(HarnessError, match="12 dimensions instead of 24"):
        embedder.embed(["b"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"data": [{"index": 0, "embedding": [0.0, 0.0]}]}', "without a direction"),
        ('{"data": [{"index": 0, "embedding": [1.0, NaN]}]}', "without a direction"),
        ('{"data": [{"index": 0, "embedding": []}]}', "something else than vectors"),
        ('{"data": [{"index": 0, "embedding": ["a"]}]}', "something else than vectors"),
        (
            '{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}]}',
            "2 vectors",
        ),
        ('{"data": [{"index": 0}]}', "something else than vectors"),
        ('{"data": []}', "0 vectors"),
        ('{"data": null}', "something else than embeddings"),
        ("[1]", "something else than embeddings"),
        ("words", "something else than embeddings"),
    ],
)
def test_an_answer_that_can_not_be_searched_with_is_refused(make, embedding_server, body, reason):
    embedding_server.failures.append(Response(body, media_type="application/json"))
    with pytest.raises(HarnessError, match=reason):
        make().embed(["a"])


def test_a_server_that_leaves_the_index_out_answers_in_order(make, embedding_server):
    rows = [{"embedding": [0.0, 2.0]}, {"embedding": [2.0, 0.0]}]
    embedding_server.failures.append(JSONResponse({"data": rows}))
    assert np.allclose(make().embed(["a", "b"]), [[0, 1], [1, 0]])


def test_vectors_of_unequal_lengths_are_refused(make, embedding_server):
    rows = [{"index": i, "embedding": [1.0] * (i + 1)} for i in range(2)]
    embedding_server.failures.append(JSONResponse({"data": rows}))
    with pytest.raises(HarnessError, match="unequal lengths"):
        make().embed(["a", "b"])


def failure(status):
    return JSONResponse({"error": {"message": f"{KEY} is bad"}}, status)


def test_a_batch_is_asked_for_again(make, embedding_server):
    embedding_server.failures += [failure(503), failure(429)]
    assert len(make().embed(["a", "b"])) == 2
    assert len(embedding_server.requests) == 3


def test_a_query_is_not_as_its_message_is_waiting(make, embedding_server):
    embedding_server.failures += [failure(503)]
    with pytest.raises(HarnessError, match=r"openai:small-model failed: 127\.0\.0\.1 answered 503"):
        make().embed(["a"])
    assert len(embedding_server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_no_error_repeats_what_the_server_said(make, embedding_server, status):
    embedding_server.failures += [failure(status)]
    with pytest.raises(HarnessError) as caught:
        make(embedder_api_key=KEY).embed(["a"])
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_is_silent_is_given_up(make, embedding_server):
    embedding_server.hangs = True
    with pytest.raises(HarnessError, match="did not answer in time"):
        make(embedder_timeout_s=0.2).embed(["a"])
    embedding_server.hangs = False


def test_a_server_that_is_not_there_is_named(make, free_port):
    with pytest.raises(HarnessError, match=r"127\.0\.0\.1 can't be reached"):
        make(embedder_base_url=f"http://127.0.0.1:{free_port()}/v1").embed(["a"])


def test_a_long_text_is_cut_between_characters(make, embedding_server):
    make(embedder_max_bytes=10).embed(["日" * 5, "short"])
    assert embedding_server.texts == ["日日日", "short"]


def authorization(embedding_server):
    return embedding_server.headers[-1]["authorization"]


def test_its_key_is_its_own(make, embedding_server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-models-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "an-organization")
    make(embedder_api_key=KEY).embed(["a"])
    assert authorization(embedding_server) == f"Bearer {KEY}"
    assert "openai-organization" not in embedding_server.headers[-1]


def test_the_models_key_does_not_go_to_the_embedders_address(make, embedding_server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-models-key")
    make().embed(["a"])
    assert "models-key" not in authorization(embedding_server)


def test_without_an_own_address_the_models_pair_is_used(make, embedding_server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-models-key")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{embedding_server.url}/v1")
    make(embedder_base_url=None).embed(["a"])
    assert authorization(embedding_server) == "Bearer sk-the-models-key"


@pytest.mark.parametrize(("model", "changed"), [("", {}), ("m", {"embedder_base_url": None})])
def test_one_without_a_model_or_a_server_is_refused(make, model, changed):
    with pytest.raises(HarnessError, match=rf"'openai:{model}'.*HARNESS_EMBEDDER_API_KEY"):
        make(model, **changed)
