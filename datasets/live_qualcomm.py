"""LIVE-Qualcomm: 208 phone videos of 54 scenes with six kinds of capture distortion, rated in a laboratory.

Ghadiyaram et al., "In-capture mobile video distortions: a study of subjective behavior and objective algorithms", IEEE
TCSVT 2018.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from cover.errors import UsageError

from ._annotation import AnnotatedDataset, AnnotatedVideo, Annotations, read_matlab


class LIVEQualcomm(AnnotatedDataset):
    """LIVE-Qualcomm.

    Reads ``qualcommSubjectiveData.mat`` (copy in winwinwenwen77/ModularBVQA) and text files. The score is unBiasedMOS;
    biasedMOS is in ``extras``. Videos are raw, ``<distortion>/<name>.yuv``, 1920x1080 in yuvj420p (``data.raw``), or
    somebody's own MP4 copies, which ``mp4labels.txt`` of DOVER lists.

    Known: the unbiased scores average 50 by construction. There is no official split, and a scene is shot by up to four
    phones, so that random splits share content: ``extras`` has content to group by.
    """

    title = "LIVE-Qualcomm"
    source = "https://live.ece.utexas.edu/research/incaptureDatabase/index.html"
    mos_range = (0, 100)
    annotations: ClassVar[Annotations] = {None: ("qualcommSubjectiveData.mat", "labels.txt", "mp4labels.txt")}

    def _from_native(self, path: Path) -> Iterator[AnnotatedVideo]:
        table = read_matlab(path)
        try:
            videos, scores = table["qualcommVideoData"], table["qualcommSubjectiveData"]
            columns = list(
                zip(
                    videos["vidNames"],
                    (videos["distortionNames"][kind - 1] for kind in videos["distortionType"]),
                    (videos["phoneType"][phone - 1] for phone in videos["phoneID"]),
                    map(float, scores["unBiasedMOS"]),
                    map(float, scores["biasedMOS"]),
                    strict=True,
                )
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise UsageError(
                f"{path}: not qualcommSubjectiveData.mat, which holds qualcommVideoData and qualcommSubjectiveData "
                f"({error})"
            ) from error
        for number, (name, distortion, phone, mos, biased) in enumerate(columns, start=1):
            video = f"{distortion}/{name}"
            extras = {**self._about(video), "phone": str(phone), "biased_mos": biased}
            yield AnnotatedVideo(f"{path}, video {number}", video, mos, extras)

    def _about(self, path: str) -> dict[str, object]:
        video = PurePosixPath(path)
        # 0723_ManUnderTree_GS5_... and 0911duckSwim_gs5_...: four digits of date, scene, phone; case varies by phone
        first, *others = video.stem.split("_")
        content = first[4:] or (others[0] if others else "")
        about: dict[str, object] = {"content": content.casefold()} if content else {}
        return {**about, "distortion": video.parent.name} if video.parent.name else about

    def _candidates(self, path: str) -> Iterator[str]:
        video = PurePosixPath(path)
        suffixes = dict.fromkeys([video.suffix, ".yuv", ".mp4"])
        for suffix in suffixes:
            yield str(video.with_suffix(suffix))
        for suffix in suffixes:
            yield video.with_suffix(suffix).name
