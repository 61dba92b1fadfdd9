"""LSVQ (LIVE-FB LSVQ): the largest set of rated user videos, with three splits.

Ying et al., "Patch-VQ: 'Patching up' the video quality problem", CVPR 2021.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, read_csv
from .labels_txt import Label


class LSVQ(AnnotatedDataset):
    """LSVQ; splits train (28,056 videos), test (7186) and test_1080p (3573).

    Reads ``labels_train_test.csv`` (its column is_test marks the test set) and ``labels_test_1080p.csv`` of the
    release (https://github.com/baidut/PatchVQ), and the text files of DOVER: ``train_labels.txt``, ``labels_test.txt``
    and ``labels_1080p.txt``. ``mos`` is the score of the whole video; mos_p1 to mos_p3 are scores of patches and are
    not read. Videos are ``<name>.mp4`` in the folders ``yfcc-batch*``, ``ia-batch*`` and ``backup*``.

    Known traps and holes: ``labels_train_test.csv`` as first released has 35,499 rows, of which the last 257 stand for
    broken videos (PatchVQ, issue 6); the lists that results are published on are its first 35,242 rows, in its order,
    so rows beyond are left out here. Of those, 7186 are test rows where 7182 is the usual count: four may not decode.
    ``is_valid`` belongs to a training library and says nothing of a video. DOVER's ``labels.txt`` is not all of LSVQ
    but both test sets in one list, and refused. COVER's ``train_labels.txt`` is refused too: a global renaming of dover
    to cover has damaged six file names in it (``Andover`` became ``Ancover``).
    """

    title = "LSVQ"
    source = (
        "https://github.com/baidut/PatchVQ (videos on request; unofficial copy: teowu/LSVQ-videos on Hugging Face; "
        "text files: https://github.com/VQAssessment/DOVER)"
    )
    mos_range = (0, 100)
    annotations: ClassVar[Annotations] = {
        "train": ("labels_train_test.csv", "train_labels.txt", "labels_train.txt"),
        "test": ("labels_train_test.csv", "labels_test.txt"),
        "test_1080p": ("labels_test_1080p.csv", "labels_1080p.txt", "labels_test_1080p.txt"),
    }
    listed: ClassVar[int] = 35_242  # rows of labels_train_test.csv in front of the broken videos
    both_tests: ClassVar[int] = 7186 + 3573

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        records = read_csv(path, ["name", "mos"])
        has_splits = bool(records) and "is_test" in records[0]
        if has_splits is (self.split == "test_1080p"):
            raise UsageError(
                f"{path}: it has {'a' if has_splits else 'no'} column is_test, so it does not hold split {self.split}, "
                f"which is in {self.annotations[self.split][0]}"
            )
        for record in records[: self.listed] if has_splits else records:
            if has_splits:
                is_test = record.text("is_test").lower()
                if is_test not in {"true", "false"}:
                    raise UsageError(f"{record.where}: is_test is {is_test!r}, neither True nor False")
                if (is_test == "true") is not (self.split == "test"):
                    continue
            extras = record.numbers(frames="frame_number", width="width", height="height")
            yield AnnotatedVideo(record.where, f"{record.text('name')}.mp4", record.number("mos"), extras)

    def _from_labels(self, labels: list[Label]) -> list[AnnotatedVideo]:
        if len(labels) == self.both_tests:
            raise UsageError(
                f"{self.annotation}: it holds both test sets; take labels_test.txt or labels_1080p.txt of DOVER"
            )
        damaged = next((label for label in labels if "Ancover" in label.path), None)
        if damaged is not None:
            raise UsageError(
                f"{damaged.where}: {damaged.path} is a damaged name of COVER's copy of this list; take DOVER's "
                "train_labels.txt (https://github.com/VQAssessment/DOVER)"
            )
        return super()._from_labels(labels)

    def _candidates(self, path: str) -> Iterator[str]:
        yield path  # file names alone repeat between folders
