"""Times as players write them."""

import math

_FINE = 10.0  # s, of stretches that are told to tenths of a second


def clock(seconds: float, *, tenths: bool = False) -> str:
    """Write a time as players do: ``0:07``, ``1:02:03``, with tenths of a second ``0:07.5``."""
    scale = 10 if tenths else 1
    whole, rest = divmod(int(seconds * scale + 1e-6), scale)
    hours, minutes = whole // 3600, whole // 60 % 60
    written = f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{written}.{rest}" if tenths else written


def stretch(start: float, end: float) -> str:
    """Write a stretch of a video as players do: ``0:07-0:12``, with tenths where a whole second would be coarse."""
    if math.isnan(end):
        return f"{clock(start)}-"
    fine = end - start < _FINE
    return "-".join(clock(moment, tenths=fine and not float(moment).is_integer()) for moment in (start, end))
