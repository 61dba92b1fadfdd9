"""Files to views: probing, frame choice, decoding, view building. Knows numpy, PyAV and Pillow, and no model."""

from cover.video.decode import decode
from cover.video.facts import file_facts
from cover.video.frames import looks_like_frames
from cover.video.info import VideoInfo
from cover.video.load import VideoSource, load_views
from cover.video.loaded import LoadedViews
from cover.video.parts import Segments
from cover.video.passes import load_parts
from cover.video.probe import probe
from cover.video.sampling import Sampling, choose_sampling, read_sampling, sampling_file, write_sampling
from cover.video.source import IMAGE_SUFFIXES, MAX_IMAGE_BYTES, VIDEO_SUFFIXES, RawFormat, check_path
from cover.video.spec import FragmentView, FrameSampling, ViewSpec, WholeView

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_IMAGE_BYTES",
    "VIDEO_SUFFIXES",
    "FragmentView",
    "FrameSampling",
    "LoadedViews",
    "RawFormat",
    "Sampling",
    "Segments",
    "VideoInfo",
    "VideoSource",
    "ViewSpec",
    "WholeView",
    "check_path",
    "choose_sampling",
    "decode",
    "file_facts",
    "load_parts",
    "load_views",
    "looks_like_frames",
    "probe",
    "read_sampling",
    "sampling_file",
    "write_sampling",
]
