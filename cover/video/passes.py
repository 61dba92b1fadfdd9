"""Loading parts of one video in one pass, which decodes each frame once."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cover.errors import VideoError
from cover.parts import Part
from cover.text import visible
from cover.video.decode import FrameDecoder, Tally
from cover.video.info import VideoIndex
from cover.video.loaded import LoadedViews, part_samplings, sampling_times
from cover.video.parts import beyond_the_end, part_frames, part_seconds
from cover.video.sampling import Sampling
from cover.video.spec import ViewSpec
from cover.video.views import ViewBuilder


def load_parts(
    index: VideoIndex,
    parts: Sequence[Part],
    spec: ViewSpec,
    *,
    name: str | None = None,
    replay: Sampling | None = None,
    threads: int = 0,
) -> Iterator[LoadedViews | VideoError]:
    """Load the views of parts of one video, decoding it once from front to back.

    Each wanted frame is decoded and converted once, written into all views it belongs to, and dropped. In memory are
    the views of one part.

    Args:
        index: Of the video.
        parts: Start and end of each, as :func:`cover.video.parts.part_frames` takes them; from the video's start to its
            end, none overlapping another (:func:`cover.video.parts.in_passes`).
        spec: The views wanted.
        name: What seeds random samplings; the file's base name if not given.
        replay: A recorded sampling to use.
        threads: Decoder threads; 0 lets FFmpeg choose.

    Yields:
        For each part its views, or the reason for its failure.
    """
    name = index.path.name if name is None else name
    refused: dict[int, VideoError] = {}
    waiting: deque[_Part] = deque()
    for place, part in enumerate(parts):
        try:
            waiting.append(_Part(index, part, spec, name, replay))
        except VideoError as error:
            refused[place] = error
    loading = _loaded(index, waiting, spec, threads)
    for place in range(len(parts)):
        yield refused[place] if place in refused else next(loading)


def _loaded(
    index: VideoIndex, waiting: "deque[_Part]", spec: ViewSpec, threads: int
) -> Iterator[LoadedViews | VideoError]:
    """Views of one part after the other; an error costs the part that is under way."""
    while waiting:
        decoder = FrameDecoder(index, {number for part in waiting for number in part.wanted}, threads, spec.rotate)
        before = decoder.tally
        part: _Part | None = None
        try:
            for number, frame, tally in _ahead(decoder):
                if part is None:
                    part = waiting.popleft()
                    part.begin(before)
                part.add(number, frame, lost=tally.replaced - before.replaced)
                before = tally
                if number == part.wanted[-1]:
                    loaded, part = part.result(tally, decoder.unknown_matrix), None
                    yield loaded
                    del loaded
        except VideoError as error:
            if part is not None or waiting:
                part = part or waiting.popleft()
                yield error


def _ahead(decoder: FrameDecoder) -> Iterator[tuple[int, np.ndarray, Tally]]:
    """Frames with the decoder's counts; the next one is decoded while the views of this one are made."""
    frames = iter(decoder)

    def following() -> tuple[int, np.ndarray, Tally] | None:
        frame = next(frames, None)
        return None if frame is None else (*frame, decoder.tally)

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(following)
        while (frame := coming.result()) is not None:
            coming = thread.submit(following)
            yield frame


class _Part:
    """A part that is being loaded.

    Args:
        index: Of the video.
        part: Start and end.
        spec: The views wanted.
        name: What seeds random samplings.
        replay: A recorded sampling to use.

    Attributes:
        wanted: Numbers of the frames that it looks at, ascending.

    Raises:
        VideoError: There is no such part, or ``replay`` does not fit.
    """

    def __init__(
        self,
        index: VideoIndex,
        part: Part,
        spec: ViewSpec,
        name: str,
        replay: Sampling | None,
    ) -> None:
        frames = part_frames(index, part)
        self._index, self._spec = index, spec
        self._seconds = part_seconds(index, part)
        self._beyond = beyond_the_end(index, part)
        self._samplings = part_samplings(index.info, frames, spec, name, replay, visible(index.path))
        looked_at = [numbers for sampling in self._samplings for numbers in sampling.indices.values()]
        self.wanted: list[int] = np.unique(np.concatenate(looked_at)).tolist()
        self._builders: list[ViewBuilder] = []
        self._lost = 0
        self._before = Tally()

    def begin(self, before: Tally) -> None:
        """Make room for its views; what the decoder counts from now on is about this part."""
        info = self._index.info
        self._builders = [ViewBuilder(self._spec, sampling, info.height, info.width) for sampling in self._samplings]
        self._before = before

    def add(self, number: int, frame: np.ndarray, *, lost: int) -> None:
        """Look at a frame, which stands for one that could not be decoded where ``lost`` is not 0."""
        self._lost += lost
        for builder in self._builders:
            builder.add(number, frame)

    def result(self, counted: Tally, unknown_matrix: bool) -> LoadedViews | VideoError:
        """The views of the part, or the reason for its failure; the arguments are the decoder's current state."""
        index = self._index
        if self._lost * 2 > len(self.wanted):
            return VideoError(f"{visible(index.path)}: {self._lost} of {len(self.wanted)} frames could not be decoded")
        views = [builder.views for builder in self._builders]
        times = [sampling_times(sampling, index) for sampling in self._samplings]
        return LoadedViews(
            views, index.info, self._samplings, times, self._notes(counted, unknown_matrix), self._seconds
        )

    def _notes(self, counted: Tally, unknown_matrix: bool) -> list[str]:
        index, before = self._index, self._before
        notes = [*index.notes, *([self._beyond] if self._beyond else [])]
        if unknown_matrix:
            matrix = index.info.color_space or "unknown"
            notes.append(f"FFmpeg cannot convert from its colour matrix ({matrix}): converted as BT.601")
        patched = counted.corrupt - before.corrupt
        if self._lost:
            notes.append(
                f"{self._lost} of {len(self.wanted)} frames could not be decoded; their nearest neighbours were used"
            )
        elif counted.complaints > before.complaints and not index.notes:
            notes.append("the file is damaged, but all the frames needed were decoded")
        elif patched and not index.notes:
            decoded = counted.decoded - before.decoded
            notes.append(f"the file is damaged: FFmpeg patched {patched} of {decoded} decoded frames")
        if any(builder.resized for builder in self._builders) and not index.files:  # which have said so
            notes.append(f"the frame size changes; all frames were resized to {index.info.width}x{index.info.height}")
        return notes
