"""Which samples of a run share a cause, and so count as one where uncertainty is concerned."""

import polars as pl

# A test that flips the signs of five units can not go below p = 1/16, and a bootstrap of so few is
# no interval; below this, figures speak of these conversations and not of conversations.
FEWEST_THREADS = 6


def cluster_labels(rows: pl.DataFrame) -> list[str] | None:
    """One label a row: its conversation, or its sample where samples repeat; None for neither.

    Args:
        rows: of a run, with `sample` and perhaps `thread`.
    """
    column = _cluster_column(rows)
    return None if column is None else rows[column].cast(pl.String).to_list()


def described_unit(rows: pl.DataFrame) -> str:
    """What intervals over these rows are over, such as `10 threads`."""
    column = _cluster_column(rows) or "sample"
    count = rows[column].n_unique() if column in rows.columns else rows.height
    return f"{count} {column}s"


def _cluster_column(rows: pl.DataFrame) -> str | None:
    columns = rows.columns
    if "thread" in columns and rows["thread"].null_count() == 0:
        threads = rows["thread"].n_unique()
        shared = threads < (rows["sample"].n_unique() if "sample" in columns else rows.height)
        if threads >= FEWEST_THREADS and shared:
            return "thread"
    repeated = "sample" in columns and rows["sample"].n_unique() < rows.height
    return "sample" if repeated else None
