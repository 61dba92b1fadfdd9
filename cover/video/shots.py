"""Cuts between shots, found by PySceneDetect among the frames of our own decoder.

PySceneDetect's own reader of files would number the frames of some files otherwise than we do, take another of several
streams, and give up at damage.
"""

from collections.abc import Callable

from cover.errors import UsageError
from cover.video.decode import FrameDecoder
from cover.video.info import VideoIndex

_WIDTH = 256  # px of the pictures that are compared, as PySceneDetect's own commands have them


def require_shots() -> None:
    """Make sure that PySceneDetect is installed.

    Raises:
        UsageError: It is not.
    """
    try:
        import scenedetect  # noqa: F401
    except ImportError as error:  # OpenCV may be there and lack a library of the system
        raise UsageError(f"segments=shots needs PySceneDetect: pip install 'cover-vqa[shots]' ({error})") from error


def find_cuts(
    index: VideoIndex, threshold: float, *, threads: int = 0, alive: Callable[[], None] = lambda: None
) -> list[int]:
    """Find the first frame of each shot but the first.

    Hard cuts are found, not fades: frames that differ in hue, saturation and luma from the one before by so many times
    what their neighbours do (PySceneDetect's ``AdaptiveDetector``, which sees a moving camera as no cut).

    Args:
        index: Of the video.
        threshold: How many times.
        threads: Decoder threads; 0 lets FFmpeg choose.
        alive: Called for each frame.

    Returns:
        Frame numbers, ascending.

    Raises:
        VideoError: The video cannot be decoded.
    """
    import cv2
    from scenedetect import AdaptiveDetector, FrameTimecode

    rate = index.info.fps or 25.0  # has no effect: cuts are taken by number
    detector = AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=1)
    cuts = []
    for number, frame in FrameDecoder(index, range(index.info.frames), threads, rotate=False):
        alive()
        size = _WIDTH, max(1, round(_WIDTH * frame.shape[0] / frame.shape[1]))
        small = cv2.cvtColor(cv2.resize(frame, size), cv2.COLOR_RGB2BGR)
        cuts += [cut.frame_num for cut in detector.process_frame(FrameTimecode(number, rate), small)]
    return cuts
