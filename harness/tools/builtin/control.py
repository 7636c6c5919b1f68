"""Tools that the run itself carries out: it waits durably, for its user or for a time."""

from typing import Annotated

from pydantic import Field

from harness.models import Effect
from harness.tools.registry import example, tool

DAY_S = 24 * 3600


@tool(
    effect=Effect.READ,
    control="ask",
    examples=[
        example(
            "Ask me which colour I want before you order.", question="Which colour do you want?"
        ),
        example(
            "Before you book it, check with me how many people are coming",
            question="How many people are coming?",
        ),
        example("Ask me a question about my day", question="How was your day?"),
        example(
            "Let me choose the size first, then continue", question="Which size do you choose?"
        ),
        example(
            "Please find out from me what the title should be before writing it",
            question="What should the title be?",
        ),
        example(
            "I'd like you to ask for my address and then fill in the form",
            question="What is your address?",
        ),
        example(
            "Don't decide alone, ask me which one to take", question="Which one should I take?"
        ),
    ],
)
def ask_user(
    question: Annotated[
        str, Field(description="The question to the user", min_length=1, max_length=1000)
    ],
) -> None:
    """Ask the user a question and wait for the answer before going on."""


@tool(
    effect=Effect.READ,
    control="wait",
    examples=[
        example("Wait 20 seconds, then say hello.", seconds=20),
        example("Remind me in 5 minutes", seconds=300),
        example("Pause for 3 seconds before you answer", seconds=3),
        example("Come back to me in an hour", seconds=3600),
        example("Hold on for half a minute and then continue", seconds=30),
        example("Sleep 45 seconds", seconds=45),
        example("Give me ten seconds, then go on", seconds=10),
        example("Set a timer for 2 minutes", seconds=120),
    ],
)
def wait(
    seconds: Annotated[int, Field(description="How many seconds to wait", ge=1, le=DAY_S)],
) -> None:
    """Wait for a number of seconds, up to a day, before going on."""


@tool(
    effect=Effect.READ,
    control="until",
    examples=[
        example("Wait until 18:30, then remind me to leave", time="18:30"),
        example("Do nothing before 9:00", time="09:00"),
        example("Come back to me at 7:15 pm", time="19:15"),
        example("Remind me at noon to call the bank", time="12:00"),
        example("Hold this until 2031-05-01 08:00", time="2031-05-01 08:00"),
        example("At 22:45, tell me to go to bed", time="22:45"),
        example("Pause until midnight", time="00:00"),
        example("Wait until 8 am in Tokyo, then say good morning", time="08:00", zone="Tokyo"),
    ],
)
def wait_until(
    time: Annotated[
        str,
        Field(
            description="The time as '18:30', or with a date as '2030-05-01 09:00'",
            min_length=1,
            max_length=40,
        ),
    ],
    zone: Annotated[
        str, Field(description="The city or time zone it is meant in", max_length=60)
    ] = "UTC",
) -> None:
    """Wait until a time of day or a date, up to 30 days ahead, before going on."""
