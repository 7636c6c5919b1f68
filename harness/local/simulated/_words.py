"""The words that simulated answers are made of."""

import random

LABEL = ("Simulated ", "answer: ")

_WORDS = """
amber anchor apple arch autumn badge bamboo basin beacon birch blanket border bottle branch
breeze bridge bronze bucket butter button cabin candle canvas canyon carbon castle cedar chalk
cherry circle clay cliff clover cobalt copper coral corner cotton crayon creek crystal daisy delta
desert diamond dune eagle earth echo ember engine fabric falcon feather fern field flint forest
fossil fountain frost galaxy garden gate glacier granite grass gravel grove harbor harvest hazel
helmet hill honey horizon island ivory jacket jasmine jungle kettle ladder lake lantern lava leaf
ledge lemon lilac linen maple marble meadow melon meteor mint mirror moss mountain nectar nest
north oak oasis ocean olive onyx orbit orchid otter paper pebble pepper petal pine planet plum
pocket pond poplar prairie quartz quill rain raven reef ribbon ridge river rocket rose saddle
sail sand sapphire scarf shadow shell silver slate smoke snow spark spruce stone storm summit sun
thistle thunder tide timber topaz tower trail tulip tundra valley velvet violet walnut water wave
wheat willow wind winter wood yarrow zenith zinc
""".split()  # noqa: SIM905 - two hundred words read better as a text than as a list


def pieces(count: int, rng: random.Random) -> list[str]:
    """Draw `count` words, each one a token with its trailing space, in sentences."""
    drawn = []
    capital = True
    for _ in range(count):
        word = rng.choice(_WORDS)
        ends = not capital and rng.random() < 0.1
        drawn.append((word.capitalize() if capital else word) + (". " if ends else " "))
        capital = ends
    if drawn and not drawn[-1].endswith(". "):
        drawn[-1] = drawn[-1].rstrip() + "."
    return drawn
