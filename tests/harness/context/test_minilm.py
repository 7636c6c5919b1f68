import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

from harness.context import minilm as minilm_module
from harness.context.minilm import BATCH, MiniLMEmbedder, batches
from harness.errors import HarnessError


def _published(weights, ids):
    """BERT with mean pooling, written out in NumPy for one text."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    embeddings = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(embeddings, "embeddings.LayerNorm")
    for layer in range(6):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            linear(x, f"{name}.attention.self.{part}").reshape(-1, 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(32))
        attended = scores / scores.sum(-1, keepdims=True) @ value
        mixed = linear(
            attended.transpose(1, 0, 2).reshape(-1, 384), f"{name}.attention.output.dense"
        )
        x = norm(mixed + x, f"{name}.attention.output.LayerNorm")
        wide = linear(x, f"{name}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))
        x = norm(linear(wide, f"{name}.output.dense") + x, f"{name}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_vectors_are_those_of_the_published_model(minilm):
    files = minilm_module._packaged_files()
    weights = load_file(files / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(files / "tokenizer.json"))
    tokenizer.no_padding()
    texts = ["A short one.", "The train to the coast leaves at nine from the second platform."]
    # Together, so that the shorter one is padded.
    for vector, text in zip(minilm.embed(texts), texts, strict=True):
        assert np.allclose(vector, _published(weights, tokenizer.encode(text).ids), atol=1e-5)


def test_vectors_have_unit_length(minilm):
    vectors = minilm.embed(["", "word", "many words " * 200])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_long_message_does_not_pad_its_short_clauses():
    assert batches([6, 7, 9, 60]) == [(0, 3), (3, 4)]


def test_texts_of_like_length_are_read_together():
    assert batches([10, 10, 11, 12]) == [(0, 4)]


@given(st.lists(st.integers(2, 256), max_size=60).map(sorted))
def test_every_text_is_in_one_batch_that_is_not_too_large(lengths):
    found = batches(lengths)
    assert [n for begin, end in found for n in range(begin, end)] == list(range(len(lengths)))
    assert all(end - begin <= BATCH for begin, end in found)


def test_like_meanings_are_near_without_a_shared_word(minilm):
    question, answer, other = minilm.embed(
        ["Which pet do you have?", "My dog is called Rex.", "The invoice is overdue."]
    )
    assert question @ answer > question @ other + 0.1


def test_other_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm_module, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(HarnessError, match=r"has sha256 53aa5117.*make setup"):
        MiniLMEmbedder(tmp_path)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm_module, "PACKAGE", "no-such-package")
    with pytest.raises(HarnessError, match=r"no-such-package is missing.*make setup"):
        MiniLMEmbedder(tmp_path)
