"""Runs the simulated model server: `python -m harness.local.simulated --port P`."""

import argparse
import logging

import uvicorn
from pydantic import ValidationError

from harness.local.simulated._profile import Profile
from harness.local.simulated.server import create_app


class _CutsAreIntended(logging.Filter):
    """Drops the server's complaint about the streams that were cut on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "without completing response" not in record.getMessage()


def main() -> None:
    """Parse the distributions' parameters and serve until stopped."""
    parser = argparse.ArgumentParser(prog="harness local simulated", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    for name, field in Profile.model_fields.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=str, default=str(field.default))
    values = vars(parser.parse_args())
    port, seed = values.pop("port"), values.pop("seed")
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        parser.error(f"--{name} is {first['input']!r}: {first['msg']}")
    logging.getLogger("uvicorn.error").addFilter(_CutsAreIntended())
    uvicorn.run(
        create_app(profile, seed),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
    )


if __name__ == "__main__":
    main()
