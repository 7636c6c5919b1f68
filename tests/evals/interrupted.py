"""A run of made-up samples, to be killed: interrupted.py FOLDER SAMPLES IN_FLIGHT."""

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from evals.journal import Journal
from evals.runner import Measuring, run_samples, write_rows


@dataclass(frozen=True)
class Item:
    id: str


def run(folder, samples, in_flight):
    measured = (folder / "measured").open("a")

    async def measure(item, seed):
        chance = random.Random(seed)
        await asyncio.sleep(chance.random() / 1000)
        print(item.id, file=measured, flush=True)
        if chance.random() < 0.05:
            raise ValueError(f"bad luck of kind {chance.randrange(3)}")
        return {"score": chance.random(), "found": [item.id] * chance.randrange(3)}

    with Journal(folder / "journal") as journal:
        rows = asyncio.run(
            run_samples(
                [Item(f"s{number}") for number in range(samples)],
                Measuring(measure, lambda _: {"score": 0.0, "found": []}),
                label="made up",
                console=Console(),
                in_flight=in_flight,
                journal=journal,
            )
        )
    write_rows(rows, folder / "rows.parquet")


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
