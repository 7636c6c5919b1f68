"""Folders of documents as knowledge."""

import pytest

from harness.context.embeddings import CachedEmbedder
from harness.context.folder import find_files
from harness.context.knowledge import CHUNK_TOKENS, TITLE_TOKENS, Knowledge
from harness.context.minilm import MAX_TOKENS, token_counter
from harness.errors import HarnessError

KITES = "# Kites\n\nFly them high.\n\n## Repair\n\nGlue the torn paper sail with paste.\n"
BREAD = "Rye bread wants a warm oven and a day of patience.\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notes"
    (made / "food").mkdir(parents=True)
    (made / "kites.md").write_text(KITES)
    (made / "food" / "bread.txt").write_text(BREAD)
    return made


@pytest.fixture
def knowledge(chroma, embedder):
    return Knowledge(chroma, embedder, look_every_s=0)


def did(result):
    return (result.new, result.changed, result.unchanged, result.removed)


async def paths(knowledge, query="kites bread lantern"):
    return sorted({hit.thread_id for hit in await knowledge.retrieve(query, 100)})


async def test_a_passage_is_found_and_says_where_it_stands(knowledge, folder):
    await knowledge.index_folder(folder)
    best = (await knowledge.retrieve("Which paste for a torn sail?", 3))[0]
    assert best.text == "## Repair\n\nGlue the torn paper sail with paste."
    assert best.title == "kites.md › Kites › Repair"
    assert (best.source, best.role, best.speaker, best.order) == ("document", "document", None, 1)
    assert set(best.why) == {"lexical", "dense"}
    assert best.score == pytest.approx(sum(best.why.values()), abs=1e-3)


async def test_a_passage_is_found_by_the_words_of_its_headings(knowledge, folder):
    (folder / "lamps.md").write_text("# Lantern\n\nHang it in the porch.")
    await knowledge.index_folder(folder)
    assert (await knowledge.retrieve("lantern", 1))[0].thread_id == "lamps.md"


async def test_what_is_unchanged_costs_nothing(knowledge, folder, word_embedder):
    assert did(await knowledge.index_folder(folder)) == (2, 0, 0, 0)
    word_embedder.embedded.clear()
    (folder / "blank.md").write_text("\n")
    assert did(await knowledge.index_folder(folder)) == (0, 0, 3, 0)
    assert word_embedder.embedded == []


async def test_a_changed_file_is_replaced(knowledge, folder):
    await knowledge.index_folder(folder)
    await knowledge.retrieve("kites", 1)
    (folder / "kites.md").write_text("# Boats\n\nSail them.\n")
    assert did(await knowledge.index_folder(folder)) == (0, 1, 1, 0)
    texts = [hit.text for hit in await knowledge.retrieve("kites boats", 9)]
    assert sorted(texts) == ["# Boats\n\nSail them.", BREAD.strip()]


async def test_a_file_of_the_same_length_is_replaced_for_every_reader(
    knowledge, folder, chroma, embedder
):
    await knowledge.index_folder(folder)
    reader = Knowledge(chroma, embedder, look_every_s=0)
    await reader.retrieve("bread", 1)
    (folder / "food" / "bread.txt").write_text("Leek soup wants cream.\n")
    await knowledge.index_folder(folder)
    assert (await reader.retrieve("leek soup", 1))[0].text == "Leek soup wants cream."


async def test_a_removed_file_is_removed(knowledge, folder):
    await knowledge.index_folder(folder)
    (folder / "kites.md").unlink()
    assert did(await knowledge.index_folder(folder)) == (0, 0, 1, 1)
    assert await paths(knowledge) == ["food/bread.txt"]


async def test_a_file_that_became_blank_is_removed(knowledge, folder):
    await knowledge.index_folder(folder)
    (folder / "kites.md").write_text("  \n")
    await knowledge.index_folder(folder)
    assert await paths(knowledge) == ["food/bread.txt"]


async def test_folders_of_one_name_are_two_sources(knowledge, folder, tmp_path):
    other = tmp_path / "elsewhere" / "notes"
    other.mkdir(parents=True)
    (other / "lamp.md").write_text("A paper lantern.")
    await knowledge.index_folder(folder)
    await knowledge.index_folder(other)
    assert await paths(knowledge) == ["food/bread.txt", "kites.md", "lamp.md"]


async def test_a_folder_that_has_moved_is_the_same_source_under_a_name(
    knowledge, folder, word_embedder
):
    await knowledge.index_folder(folder, "notes")
    word_embedder.embedded.clear()
    moved = folder.rename(folder.with_name("moved"))
    assert did(await knowledge.index_folder(moved, "notes")) == (0, 0, 2, 0)
    assert word_embedder.embedded == []


async def test_an_interrupted_indexing_goes_on(knowledge, folder, word_embedder, embedder):
    embed = word_embedder.embed

    def once(texts):
        word_embedder.embed = None  # any further use raises
        return embed(texts)

    word_embedder.embed = once
    with pytest.raises(TypeError):
        await knowledge.index_folder(folder)
    word_embedder.embed = embed
    assert await paths(knowledge) == ["food/bread.txt"]
    assert did(await knowledge.index_folder(folder)) == (1, 0, 1, 0)
    assert await paths(knowledge) == ["food/bread.txt", "kites.md"]


async def test_a_half_written_document_is_written_again(knowledge, folder, chroma):
    await knowledge.index_folder(folder, "notes")
    collection = chroma.get_collection(knowledge.name)
    [half] = collection.get(where={"$and": [{"path": "kites.md"}, {"number": 1}]})["ids"]
    collection.delete([half])
    assert did(await knowledge.index_folder(folder, "notes")) == (0, 1, 1, 0)
    assert len(await knowledge.retrieve("kites", 9)) == 3


async def test_what_can_not_be_read_is_named_and_left_as_it_was(knowledge, folder):
    await knowledge.index_folder(folder)
    (folder / "kites.md").write_bytes(b"caf\xe9")
    (folder / "zero.txt").write_bytes(b"a\0b")
    result = await knowledge.index_folder(folder)
    assert result.skipped == {
        "kites.md": "is not UTF-8 at byte 3",
        "zero.txt": "holds zero bytes: it is no text",
    }
    assert await paths(knowledge) == ["food/bread.txt", "kites.md"]


def test_only_the_files_that_are_asked_for_are_found(folder):
    (folder / ".git").mkdir()
    (folder / ".git" / "hidden.md").write_text("x")
    (folder / "code.py").write_text("x")
    names = [path.name for path in find_files(folder)]
    assert names == ["bread.txt", "kites.md"]
    assert [path.name for path in find_files(folder, ["*.py", "**/*.py"])] == ["code.py"]


@pytest.mark.parametrize(("name", "why"), [("none", "not there"), ("kites.md", "a file")])
async def test_what_is_no_folder_is_named(knowledge, folder, name, why):
    with pytest.raises(HarnessError, match=rf"{name}.*{why}"):
        await knowledge.index_folder(folder / name)


@pytest.mark.parametrize("pattern", ["", "/etc/*"])
async def test_what_is_no_pattern_is_named(knowledge, folder, pattern):
    with pytest.raises(HarnessError, match="--glob"):
        await knowledge.index_folder(folder, globs=[pattern])


async def test_without_documents_nothing_is_found_and_nothing_embedded(knowledge, word_embedder):
    assert await knowledge.retrieve("kites", 5) == []
    assert word_embedder.embedded == []


@pytest.mark.parametrize(("query", "k"), [("", 5), ("  ", 5), ("kites", 0)])
async def test_asking_for_nothing_gives_nothing(knowledge, folder, query, k):
    await knowledge.index_folder(folder)
    assert await knowledge.retrieve(query, k) == []


async def test_a_query_does_not_look_for_changes_every_time(chroma, embedder, folder, knowledge):
    patient = Knowledge(chroma, embedder, look_every_s=3600)
    assert await patient.retrieve("kites", 1) == []
    await knowledge.index_folder(folder)
    assert await patient.retrieve("kites", 1) == []
    await patient.index_folder(folder)  # its own writing it sees at once
    (folder / "kites.md").write_text("# Kites\n\nGone.")
    await patient.index_folder(folder)
    assert (await patient.retrieve("kites", 1))[0].text == "# Kites\n\nGone."


async def test_vectors_of_another_embedder_are_kept_apart(chroma, knowledge, folder, word_embedder):
    await knowledge.index_folder(folder)
    word_embedder.name = f"{word_embedder.name}-2"
    cached = CachedEmbedder(word_embedder)
    assert await Knowledge(chroma, cached, look_every_s=0).retrieve("kites", 5) == []
    cached.close()


class Recording:
    """Keeps the texts it embeds."""

    dimensions = 4

    def __init__(self, inner):
        self.name, self._inner, self.texts = inner.name, inner, []

    def embed(self, texts):
        self.texts += texts
        return self._inner.embed(texts)


async def test_a_chunk_fits_the_embedders_window_with_its_title(chroma, folder, word_embedder):
    long = " ".join(f"word{number} ünd-" for number in range(2000))
    heading = "heading " * 50
    (folder / f"{'deep' * 40}.md").write_text(f"# {heading}\n\n## {heading}\n\n{long}\n")
    recording = Recording(word_embedder)
    recording.dimensions = word_embedder.dimensions
    cached = CachedEmbedder(recording)
    await Knowledge(chroma, cached).index_folder(folder)
    cached.close()
    count = token_counter()
    assert TITLE_TOKENS + CHUNK_TOKENS <= MAX_TOKENS
    assert max(map(count, recording.texts)) <= MAX_TOKENS
    assert len(recording.texts) > 10
