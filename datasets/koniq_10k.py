"""KonIQ-10k: 10,073 images sampled from YFCC100M, rated by crowd workers; read as videos of one frame.

Hosu et al., "KonIQ-10k: an ecologically valid database for deep learning of blind image quality assessment", IEEE TIP
2020.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, read_csv

_FOLDERS = ("1024x768", "512x384")
_SPLITS = ("training", "validation", "test")
_ALL = "all"
_WITH_SETS = "koniq10k_distributions_sets.csv"
_SCORES = (
    "koniq10k_scores_and_distributions.csv",
    "koniq10k_scores_and_distributions/koniq10k_scores_and_distributions.csv",
)


class KonIQ10k(AnnotatedDataset):
    """KonIQ-10k; splits training (7058 images), validation (1000), test (2015), and all three together (all).

    Reads ``koniq10k_distributions_sets.csv`` (https://github.com/subpic/koniq, ``metadata``; MOS on 0..100, and the
    split in its column set), ``koniq10k_scores_and_distributions.csv`` of the database (no splits: for ``split=all``
    only) and the text files ``{training,validation,test}_labels.txt`` of DOVER. Images are in ``1024x768/`` or
    ``512x384/``, the larger first.

    Known trap: in ``koniq10k_scores_and_distributions.csv`` the column MOS is on 1..5, and the one on 0..100, which is
    read, is called MOS_zscore. A table whose only MOS is on 1..5 is refused.
    """

    title = "KonIQ-10k"
    source = "https://database.mmsp-kn.de/koniq-10k-database.html (split: https://github.com/subpic/koniq, metadata)"
    mos_range = (0, 100)
    annotations: ClassVar[Annotations] = {
        **{split: (_WITH_SETS, f"{split}_labels.txt", *_SCORES) for split in _SPLITS},
        _ALL: (_WITH_SETS, *_SCORES),
    }

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        records = read_csv(path, ["image_name", "MOS"])
        has_splits = bool(records) and "set" in records[0]
        if self.split != _ALL and not has_splits:
            raise UsageError(
                f"{path}: no column set, so its splits are unknown; take {_WITH_SETS} "
                "(https://github.com/subpic/koniq), or data.split=all"
            )
        column = "MOS_zscore" if records and "MOS_zscore" in records[0] else "MOS"
        for record in records:
            extras: dict[str, object] = dict(record.numbers(mos_std="SD", votes="c_total"))
            if has_splits:
                extras["split"] = record.text("set")
                if extras["split"] not in _SPLITS:
                    raise UsageError(f"{record.where}: set is {extras['split']!r}, not training, validation or test")
                if self.split not in (_ALL, extras["split"]):
                    continue
            yield AnnotatedVideo(
                record.where, f"{_FOLDERS[0]}/{record.text('image_name')}", record.number(column), extras
            )

    def _candidates(self, path: str) -> Iterator[str]:
        name = PurePosixPath(path).name
        for folder in _FOLDERS:
            yield f"{folder}/{name}"
        yield path
        yield name
