"""Any set as files in the project's own format."""

from pathlib import Path

from evals.datasets.datasheet import licence_of, write_datasheet
from evals.datasets.folder import DATASHEET, new_folder
from evals.datasets.kinds import AnySet, kind_of
from evals.datasets.listing import folder_of, whole_sets
from evals.datasets.loader import PUBLIC
from evals.datasets.records import DatasetError
from evals.datasets.tables import Format, write_rows


def export_set(
    name: str, target: Path, form: Format, data_dir: Path | None = None, *, force: bool = False
) -> list[AnySet]:
    """Write every split of a set, with a datasheet that keeps its licence.

    Args:
        name: of the set.
        target: the folder to write.
        form: of the files; a folder of `jsonl` is a set itself.
        data_dir: holds one folder for each dataset.
        force: replace a set that is there.

    Returns:
        What was written; a folder may hold sets of several kinds.

    Raises:
        DatasetError: there is no such set, or something is at the target.
    """
    found = whole_sets(name, data_dir)
    source = folder_of(name, data_dir)
    if target.resolve() == source.resolve():
        raise DatasetError(f"{target} is the set itself; export it to another folder")
    with new_folder(target, force) as folder:
        for data in found:
            kind = kind_of(data)
            for part, records in kind.parts_of(data).items():
                write_rows(folder / f"{part}.{form}", kind.parts[part], records)
        write_datasheet(folder / DATASHEET, target.name, _sections(name, source, found))
    return found


def _sections(name: str, source: Path, found: list[AnySet]) -> dict[str, str]:
    public = PUBLIC.get(name)
    sheet = source / DATASHEET
    sections = {"What": public.what if public else f"The set `{name}`"}
    for data in found:
        notes = "".join(f"; {key.replace('_', ' ')}: {v}" for key, v in data.info.notes.items())
        sections[kind_of(data).name.capitalize()] = (
            f"exported from `{name}`, sha256 of its files {data.info.sha256}{notes}."
        )
    if public:
        sections["Source"] = public.address
    sections["Licence"] = f"{public.licence if public else licence_of(sheet)}."
    if public is None and sheet.is_file():
        sections["Its own datasheet"] = f"\n\n{sheet.read_text('utf-8').strip()}"
    return sections
