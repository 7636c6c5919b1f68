"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

DatasetOption = Annotated[str, typer.Option("--dataset", help="Name of the dataset's folder.")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
]
SplitOption = Annotated[str, typer.Option("--split", help="tune, test or all.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many samples, spread evenly.")
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", help="COLUMN=VALUE that samples must match; may be repeated."),
]
RepeatOption = Annotated[
    int, typer.Option("--repeat", min=1, help="How often each sample is measured.")
]
ResumeOption = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh",
        help="Take the rows of the same run that were finished; by default if it was interrupted.",
    ),
]
SliceOption = Annotated[
    str | None, typer.Option("--slice", help="Also print the figures by this column of the rows.")
]
MaxFailedOption = Annotated[
    float,
    typer.Option("--max-failed", min=0, max=1, help="Exit 1 when a larger share failed."),
]
MAX_FAILED = 0.1
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]
TrackOption = Annotated[bool, typer.Option("--track/--no-track", help="Keep the run in MLflow.")]
ScorerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        help="Also score by one of mlflow.genai.scorers, such as RelevanceToQuery, or your own "
        "as module:name; =JSON behind it gives arguments. May be repeated.",
    ),
]
GateOption = Annotated[
    str | None,
    typer.Option("--gate", help="Exit 1 unless this holds, such as 'recall@10 >= 0.6'."),
]
JudgeOption = Annotated[
    str | None, typer.Option("--judge", help="Model that judges rubrics; default: HARNESS_JUDGE.")
]
AnswerCacheOption = Annotated[
    bool,
    typer.Option(
        "--answer-cache/--no-answer-cache",
        help="Take answers that the model gave to the same request before.",
    ),
]
