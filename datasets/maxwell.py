"""DIVIDE-MaxWell: 4543 user videos rated for technical, aesthetic and overall quality.

Wu et al., "Exploring video quality assessment on user generated contents from aesthetic and technical perspectives",
ICCV 2023 (DIVIDE-3k), and "Towards explainable in-the-wild video quality assessment", ACM MM 2023 (MaxWell).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations
from .labels_txt import Label


class MaxWell(AnnotatedDataset):
    """DIVIDE-MaxWell; splits train (3634 videos) and val (909), as published.

    Its own annotation is a pair of text files, ``train_labels.txt`` and ``val_labels.txt`` (VQAssessment/DOVER,
    ``examplar_data_labels/DIVIDE_MaxWell``). They look like everybody's, but the three numbers are scores: technical,
    aesthetic, overall. That order is certain: field 2 equals T-all and field 3 A-all of ``MaxWell_{train,val}.csv``
    (VQAssessment/ExplainableVQA) in all 4543 rows, although DOVER's own loader names them the other way round. The MOS
    is the overall score; the two others are in ``extras``.

    Known: ``MaxWell_{train,val}.csv`` hold more scores but no names, so they cannot be read alone. ExplainableVQA's own
    ``examplar_data_labels/MaxWell`` carries other scores under the same file names: not these. Lists are sorted by MOS.
    """

    title = "DIVIDE-MaxWell"
    source = (
        "https://huggingface.co/datasets/teowu/DIVIDE-MaxWell (videos.zip) and "
        "https://github.com/VQAssessment/DOVER (examplar_data_labels/DIVIDE_MaxWell)"
    )
    mos_range = (1, 5)
    annotations: ClassVar[Annotations] = {
        split: (f"{split}_labels.txt", f"DIVIDE_MaxWell/{split}_labels.txt", f"examplar_data_labels/{split}_labels.txt")
        for split in ("train", "val")
    }

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        raise UsageError(f"{path}: it names no videos; take {self.split}_labels.txt of DIVIDE_MaxWell ({self.source})")

    def _from_labels(self, labels: list[Label]) -> list[AnnotatedVideo]:
        ratings = []
        for label in labels:
            technical, aesthetic = label.fields
            extras = {"technical_mos": technical, "aesthetic_mos": aesthetic}
            if not all(self.mos_range[0] <= score <= self.mos_range[1] for score in label.fields):
                raise UsageError(f"{label.where}: expected 'path, technical, aesthetic, overall', all within 1..5")
            ratings.append(AnnotatedVideo(label.where, label.path, label.mos, extras))
        return ratings

    def _candidates(self, path: str) -> Iterator[str]:
        yield path
        yield f"videos/{path}"  # as videos.zip unpacks
