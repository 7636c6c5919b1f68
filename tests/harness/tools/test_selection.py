import asyncio
import math
from typing import ClassVar

import pytest

from harness.context.embeddings import CachedEmbedder
from harness.models import Effect, Selection
from harness.tools import _probe
from harness.tools import selection as selection_module
from harness.tools._odds import load_weights
from harness.tools._similarity import SimilarityIndex
from harness.tools.builtin import BUILTIN
from harness.tools.registry import ToolSpec, example
from harness.tools.selection import MARGIN, MOST_SCORES, ToolSelector

SPECS = [each.spec for each in BUILTIN]
REQUESTS = [
    ("what is in the garage folder?", "list_tree"),
    ("I would like to know what documents the house folder has", "list_tree"),
    ("Open file budget/june.md please", "view_file"),
    ("Please have a look at soup.md and tell me how much salt it needs", "view_file"),
    ("find where the lease is mentioned", "search_text"),
    ("Which of my notes mention the electrician?", "search_text"),
    ("write 'feed the fish' to a file called chores.md", "write_file"),
    ("Make a file about tomorrow's tasks with: call the vet", "write_file"),
    ("what did I tell you about my sister?", "search_memory"),
    ("from now on call me Johnny", "remember_preference"),
    ("I always drink my coffee black, keep that in mind", "remember_preference"),
    ("ask me which train I want before you write it down", "ask_user"),
    ("Check with me what the new name should be, then go ahead", "ask_user"),
    ("wait 5 seconds then tell me whether the oven is hot", "wait"),
    ("Before you answer, pause three seconds", "wait"),
    ("what's the time in Nairobi?", "current_time"),
    ("how much is 18 times 7?", "calculate"),
    ("change 'left' to 'right' in directions.md", "patch_file"),
    ("In recipe.txt the butter should be 100 g and not 80 g, fix that", "patch_file"),
    ("delete todo-old.txt please", "delete_file"),
    ("Show me the last commits", "git_log"),
    ("Which files have I changed and not committed?", "git_diff"),
    ("What branches does the repository have?", "git_branches"),
    ("switch to the branch cleanup", "git_switch"),
    ("Commit my changes with the message 'Repair the gate'", "git_commit"),
    ("read https://gardens.example.org/roses and tell me when to prune", "fetch_page"),
    ("What are my saved preferences?", "list_preferences"),
    ("forget my preference for long answers", "forget_preference"),
    ("Wait until 16:20 and then remind me to call Joan", "wait_until"),
]
NO_TOOL = [
    "I planted roses and lilies along the fence last spring.",
    "Hi! I'm renovating my kitchen this month.",
    "The electrician's phone number is 555-123 and he comes on Tuesdays",
    "Good evening, my name is Sandra and I run a small bakery",
    "Which colour did we choose for the tiles?",
    "What flowers did I plant along the fence?",
    "How do I bake sourdough bread?",
    "Who delivers the flour?",
    "Thanks, that was all.",
    "The library closes at 19:00 on Fridays.",
    "We committed ourselves to the new plan.",
    "I deleted the app from my phone last night.",
    "Their website is hard to read.",
]
GARDEN = ToolSpec(
    name="water_plants",
    description="Water the plants in a bed of the garden.",
    parameters={"type": "object", "properties": {"bed": {"description": "Which bed"}}},
    effect=Effect.EXTERNAL,
)
INVOICES = ToolSpec(
    name="sendInvoice",
    description="Send an invoice to a customer.",
    parameters={"type": "object", "properties": {}},
    effect=Effect.EXTERNAL,
)


@pytest.fixture(scope="session")
def selector(minilm: CachedEmbedder) -> ToolSelector:
    return ToolSelector(minilm, SPECS)


def scores_of(selection: Selection) -> dict[str, float]:
    return {each.name: each.score for each in selection.scores}


@pytest.mark.parametrize(("request_", "tool"), REQUESTS)
async def test_a_request_is_offered_its_tool_first(selector, request_, tool):
    selection = await selector.select(request_, 3)
    assert selection.needed
    assert selection.candidates[0].name == tool


@pytest.mark.parametrize("message", NO_TOOL)
async def test_what_needs_no_tool_is_offered_none(selector, message):
    selection = await selector.select(message, 3)
    assert not selection.needed
    assert selection.candidates == []


async def test_a_request_is_found_among_other_sentences(selector):
    text = "I had such a long day. My boss was in a bad mood again. Open the file diary.md."
    assert (await selector.select(text, 3)).candidates[0].name == "view_file"


async def test_a_clear_winner_stands_alone(selector):
    assert len((await selector.select("wait 20 seconds", 5)).candidates) == 1


async def test_at_most_k_are_offered_best_first(minilm):
    twins = [SPECS[0].model_copy(update={"name": f"twin_{i}"}) for i in range(5)]
    selection = await ToolSelector(minilm, twins).select("what is in the drafts folder?", 3)
    scores = [candidate.score for candidate in selection.candidates]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


async def test_tools_far_behind_the_best_are_not_offered(minilm):
    selector = ToolSelector(minilm, [GARDEN, INVOICES])
    selection = await selector.select("Please water the plants in the rose bed", 2)
    assert [candidate.name for candidate in selection.candidates] == ["water_plants"]
    scores = scores_of(selection)
    assert scores["water_plants"] > scores["sendInvoice"] * math.exp(MARGIN)


async def test_a_tool_without_examples_is_found_by_its_description(minilm):
    selector = ToolSelector(minilm, [*SPECS, GARDEN, INVOICES])
    selection = await selector.select("send the invoice to our customer in Leeds", 1)
    assert selection.candidates[0].name == "sendInvoice"


async def test_a_tools_word_counts_as_much_in_a_long_message(minilm):
    index = await SimilarityIndex.of([GARDEN, INVOICES], minilm)
    short = "the plants"
    long = "my aunt came over yesterday with cake and stories, and then she noticed the plants"
    words = index.signals([short, long], await minilm.aembed([short, long])).words
    assert words[0, 0] > 0
    assert words[1, 0] == words[0, 0]


async def test_examples_help_where_the_description_does_not(minilm):
    mute = GARDEN.model_copy(update={"name": "zx1", "description": "Runs procedure zx1."})
    taught = mute.model_copy(
        update={"examples": [example("The tomatoes are dry, give them something to drink")]}
    )
    text = "the tomatoes need something to drink"
    scores = [
        scores_of(await ToolSelector(minilm, [spec, INVOICES]).select(text, 1))["zx1"]
        for spec in (mute, taught)
    ]
    assert scores[1] > scores[0]


async def test_another_tool_of_a_known_name_is_judged_by_its_own_description(minilm):
    wait = GARDEN.model_copy(update={"name": "wait"})
    selection = await ToolSelector(minilm, [wait, INVOICES]).select("water the garden's plants", 1)
    assert selection.candidates[0].name == "wait"


async def test_a_selection_says_what_it_found_and_why(selector):
    selection = await selector.select("calculate 3 + 4", 3)
    assert len(selection.scores) == MOST_SCORES
    assert set(scores_of(selection)) < {spec.name for spec in SPECS}
    assert selection.why.startswith("some tool serves with probability")
    assert "it is calculate with" in selection.why


@pytest.mark.parametrize("text", ["", "   ", "\n"])
async def test_an_empty_message_needs_nothing(selector, text):
    assert not (await selector.select(text, 3)).needed


async def test_without_tools_nothing_is_needed(minilm):
    assert not (await ToolSelector(minilm, []).select("open notes.md", 3)).needed


async def test_a_very_long_message_is_no_trouble(selector):
    assert not (await selector.select("It was a quiet day at sea. " * 2000, 3)).needed


async def test_the_classifier_is_not_used_on_another_embedders_vectors(minilm):
    class Renamed:
        name = "other"
        dimensions = minilm.dimensions

        def embed(self, texts):
            return minilm.embed(texts)

    embedder = CachedEmbedder(Renamed())
    selection = await ToolSelector(embedder, SPECS).select("What time is it in Oslo?", 1)
    assert selection.candidates[0].name == "current_time"
    embedder.close()


def test_the_packaged_classifier_was_fitted_on_the_tools_there_are():
    """If not: python -m harness.tools.calibration.fit"""
    probe = _probe.load()
    fitted = dict(zip(probe.names, probe.descriptions, strict=True))
    assert fitted == {spec.name: spec.description for spec in SPECS}


MANY = [
    ToolSpec(name=name, description=description, parameters={})
    for name, description in [
        ("play_music", "Play a song, an album or a station on the speakers."),
        ("set_thermostat", "Set the temperature of a room."),
        ("turn_lights", "Switch lamps in the house on or off."),
        ("book_table", "Reserve a table at a restaurant."),
        ("translate_text", "Translate a text into another language."),
        ("track_parcel", "Say where a parcel is and when it arrives."),
        ("find_recipe", "Find a recipe for a dish or for ingredients."),
        ("lock_door", "Lock or unlock a door of the house."),
    ]
]
# Nothing that anybody would ask for here.
FILLERS = [
    ToolSpec(name=f"assay_{i}", description=f"Assay sample {i} of a {rock} core.", parameters={})
    for i, rock in enumerate(["basalt", "gneiss", "slate", "quartz", "shale"] * 40)
]


@pytest.mark.parametrize(
    "text",
    [
        "Play some jazz, switch off the lamps in the hall and lock the front door.",
        "Turn off the kitchen lamps. Then lock the back door. Put on a song by Nina Simone!",
    ],
)
async def test_a_request_for_three_things_finds_three_tools(minilm, text):
    selection = await ToolSelector(minilm, MANY).select(text, 3)
    offered = {candidate.name for candidate in selection.candidates}
    assert offered == {"play_music", "turn_lights", "lock_door"}


@pytest.mark.parametrize(
    ("previous", "text", "tool"),
    [
        ("What time is it in Oslo?", "and in Tokyo?", "current_time"),
        ("how much is 18 times 7?", "now divide the same by 3 instead", "calculate"),
        ("Open notes/today.md please", "do it again for the other file", "view_file"),
        ("what is in the garage folder?", "what about the attic one?", "list_tree"),
    ],
)
async def test_a_message_that_goes_on_is_offered_what_the_one_before_needed(
    selector, previous, text, tool
):
    selection = await selector.select(text, 5, previous=previous)
    assert tool in {candidate.name for candidate in selection.candidates[:2]}


@pytest.mark.parametrize(
    "text", ["Thanks, that was all.", "Great, good night!", "I see. My aunt lives there."]
)
async def test_a_message_that_does_not_go_on_needs_no_tool_for_the_one_before(selector, text):
    assert not (await selector.select(text, 5, previous="What time is it in Oslo?")).needed


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("make the bedroom two degrees warmer please", True),
        ("Where is my parcel?", True),
        ("My sister moved to Leeds last spring and likes it there.", False),
        ("Thank you so much, you are very kind.", False),
    ],
)
async def test_whether_a_tool_is_needed_does_not_hang_on_how_many_there_are(minilm, text, needed):
    for specs in (MANY, [*MANY, *FILLERS]):
        assert (await ToolSelector(minilm, specs).select(text, 5)).needed is needed


async def test_tools_that_do_the_same_speak_for_one_need(minilm):
    packaged = load_weights()
    described = packaged.described.model_copy(update={"words": 0.0})
    weights = packaged.model_copy(update={"size": 0.0, "described": described})
    description = "Translates a text into another language."

    async def log_odds(tools: int) -> float:
        specs = [
            ToolSpec(name=f"translate_{letter}", description=description, parameters={})
            for letter in "abcdefgh"[:tools]
        ]
        selector = ToolSelector(minilm, specs, weights=weights)
        selection = await selector.select("Can you translate this into French?", 5)
        chance = sum(score.score for score in selection.scores)
        return math.log(chance / (1 - chance))

    gained = await log_odds(8) - await log_odds(1)
    assert 0 < gained < 0.8 * math.log(8)  # which eight needs would gain


async def test_chances_are_those_of_one_tool_being_the_right_one(selector):
    for text in (REQUESTS[0][0], NO_TOOL[0]):
        scores = scores_of(await selector.select(text, 5))
        assert 0 <= sum(scores.values()) <= 1.001


async def test_tools_that_come_and_go_are_selected_at_once_and_only_new_ones_embedded(minilm):
    class Counting:
        name, dimensions = "counting", minilm.dimensions
        embedded: ClassVar[list[str]] = []

        def embed(self, texts):
            self.embedded += texts
            return minilm.embed(texts)

    embedder = CachedEmbedder(Counting(), ttl_s=0)
    selector = ToolSelector(embedder, [GARDEN, INVOICES])
    await selector.prepare()
    assert len(Counting.embedded) == 4, "not a name and a sentence each"
    await selector.update([GARDEN, MANY[0]])
    assert len(Counting.embedded) == 6
    scores = scores_of(await selector.select("Please water the plants", 1))
    assert set(scores) == {"water_plants", "play_music"}
    embedder.close()


async def test_until_new_tools_are_ready_the_ones_before_are_selected(minilm, monkeypatch):
    selector = ToolSelector(minilm, [GARDEN, INVOICES])
    await selector.prepare()
    ready = asyncio.Event()
    make = SimilarityIndex.of

    async def slow(*given):
        await ready.wait()
        return await make(*given)

    monkeypatch.setattr(SimilarityIndex, "of", slow)
    updating = asyncio.create_task(selector.update([MANY[0]]))
    await asyncio.sleep(0)
    assert (await selector.select("water the plants", 1)).candidates[0].name == "water_plants"
    ready.set()
    await updating
    assert set(scores_of(await selector.select("water the plants", 1))) == {"play_music"}


async def test_tools_that_take_long_to_embed_cost_the_tools_alone(minilm, monkeypatch):
    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(SimilarityIndex, "of", never)
    monkeypatch.setattr(selection_module, "PREPARE_WAIT_S", 0.01)
    selector = ToolSelector(minilm, [GARDEN])
    selection = await selector.select("water the plants", 1)
    assert (selection.needed, selection.why) == (False, "the tools are still being prepared")
    selector._preparing.cancel()
