"""Files to views: probing, frame choice, decoding, view building. Knows numpy, PyAV and Pillow, and no model."""

from cover.video.decode import decode
from cover.video.load import LoadedViews, load_views
from cover.video.probe import VideoInfo, probe
from cover.video.sampling import Draw, draw, read_draw, write_draw
from cover.video.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, RawFormat
from cover.video.spec import FragmentView, FrameSampling, ViewSpec, WholeView

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Draw",
    "FragmentView",
    "FrameSampling",
    "LoadedViews",
    "RawFormat",
    "VideoInfo",
    "ViewSpec",
    "WholeView",
    "decode",
    "draw",
    "load_views",
    "probe",
    "read_draw",
    "write_draw",
]
