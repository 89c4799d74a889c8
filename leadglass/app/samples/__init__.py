"""Sample studies: generated, the same on every machine, of people who do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from leadglass.app.samples.studies import all_studies


@dataclass(frozen=True, slots=True)
class Sample:
    """One object: where it goes below a folder, and its data set with `file_meta`."""

    path_name: str
    dataset: Dataset

    @property
    def transfer_syntax_uid(self) -> str:
        """The transfer syntax its pixels are encoded in."""
        return str(self.dataset.file_meta.TransferSyntaxUID)


def generate() -> Iterator[Sample]:
    """Every object of every sample study, one study after the other, made as it is asked for."""
    for study, datasets in all_studies():
        for dataset in datasets:
            series = f"{dataset.SeriesNumber:02d}-{dataset.Modality}"
            yield Sample(f"{study.key}/{series}/{dataset.InstanceNumber:04d}.dcm", dataset)


def write_samples(folder: Path) -> int:
    """Write every object below `folder` as a DICOM file; gives how many."""
    count = 0
    for sample in generate():
        path = folder / sample.path_name
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.dataset.save_as(path, enforce_file_format=True)
        count += 1
    return count


__all__ = ["Sample", "generate", "write_samples"]
