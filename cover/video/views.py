"""Turning frames into views, one frame at a time."""

from collections import defaultdict

import numpy as np

from cover.video.resize import (
    enlarged_size,
    enlargement,
    resize,
    sample_enlarged,
    taps,
    whole_taps,
)
from cover.video.sampling import Sampling
from cover.video.spec import FragmentView, ViewSpec


class ViewBuilder:
    """Write each frame's part of all views as the frame arrives, so that no full frame has to be kept.

    Args:
        spec: The views wanted.
        sampling: Frames and crops; it must fit the video (:func:`cover.video.sampling.check_sampling`).
        height: Height of the video's frames in px.
        width: Width of the video's frames in px.

    Attributes:
        views: Branch -> uint8 (3, T, H, W), filled as frames are added.
        resized: Number of frames that had another size than the video and were resized to it.
    """

    def __init__(self, spec: ViewSpec, sampling: Sampling, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._fragments = FragmentSampler(spec.technical, sampling.offsets_h, sampling.offsets_w, height, width)
        self._whole = {
            branch: whole_taps(height, width, view.size, view.size)
            for branch, view in (("semantic", spec.semantic), ("aesthetic", spec.aesthetic))
        }
        self.views: dict[str, np.ndarray] = {}
        self._places: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for branch, view in spec.branches.items():
            indices = sampling.indices[branch]
            self.views[branch] = np.zeros((3, len(indices), view.size, view.size), dtype=np.uint8)
            for place, index in enumerate(indices.tolist()):
                self._places[index][branch].append(place)
        self.resized = 0

    @property
    def wanted(self) -> set[int]:
        """Numbers of the frames that occur in a view."""
        return set(self._places)

    def add(self, index: int, frame: np.ndarray) -> None:
        """Write one frame everywhere it occurs; a frame that occurs nowhere is ignored.

        Args:
            index: Frame number.
            frame: RGB, uint8 of shape (H, W, 3). Another size than the video's is first resized to it.
        """
        if index not in self._places:
            return
        if frame.shape[:2] != (self._height, self._width):
            height, width = frame.shape[:2]
            frame = resize(frame, *whole_taps(height, width, self._height, self._width))
            self.resized += 1
        for branch, places in self._places[index].items():
            part = self._fragments(frame) if branch == "technical" else resize(frame, *self._whole[branch])
            self.views[branch][:, places] = part.transpose(2, 0, 1)[:, None]


class FragmentSampler:
    """Cut the fragment mosaic out of frames of one size.

    Source: ``get_spatial_fragments`` of the official code. There, a frame that had to be enlarged is cut along the grid
    of its original size; here along that of the enlarged frame, as the paper's text has it.

    Args:
        view: The fragment view.
        offsets_h: Row shifts inside the cells, (grid, grid) px.
        offsets_w: Column shifts inside the cells, (grid, grid) px.
        height: Height of the frames in px.
        width: Width of the frames in px.

    Attributes:
        rows: Row of each pixel of the mosaic in the (enlarged) frame, (size, size).
        columns: Its column, of the same shape.
    """

    def __init__(
        self, view: FragmentView, offsets_h: np.ndarray, offsets_w: np.ndarray, height: int, width: int
    ) -> None:
        full_height, full_width = enlarged_size(height, width, view.size, view.fragment)
        pixels = np.arange(view.fragment)
        # (row of cells, column of cells, pixel of the crop)
        rows = _cell_starts(view, full_height)[:, None, None] + offsets_h[:, :, None] + pixels
        columns = _cell_starts(view, full_width)[None, :, None] + offsets_w[:, :, None] + pixels
        shape = (view.grid, view.fragment, view.grid, view.fragment)
        rows = np.broadcast_to(rows.transpose(0, 2, 1)[..., None], shape).reshape(view.size, view.size)
        columns = np.broadcast_to(columns[:, None], shape).reshape(view.size, view.size)
        scale = enlargement(height, width, view.size)
        self._enlarged = scale != 1.0
        self.rows, self.columns = rows, columns
        if self._enlarged:
            self._row_taps, self._column_taps = taps(rows, height, 1 / scale), taps(columns, width, 1 / scale)

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Cut the mosaic out of one frame.

        Args:
            frame: uint8 of shape (H, W, 3).

        Returns:
            uint8 of shape (size, size, 3).
        """
        if self._enlarged:
            return sample_enlarged(frame, self._row_taps, self._column_taps)
        return frame[self.rows, self.columns]


def _cell_starts(view: FragmentView, length: int) -> np.ndarray:
    """Locate the cells of the grid along one axis, px; a crop at a start fits into the frame."""
    return np.minimum(np.arange(view.grid) * (length // view.grid), length - view.fragment)
