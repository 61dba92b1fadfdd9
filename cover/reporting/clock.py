"""Times as players write them."""

import math


def clock(seconds: float, *, tenths: bool = False) -> str:
    """Write a time as players do: ``0:07``, ``1:02:03``; on request to the tenth of a second, ``0:07.5``."""
    whole, rest = divmod(round(seconds * 10), 10) if tenths else (int(seconds), 0)
    hours, minutes = whole // 3600, whole // 60 % 60
    written = f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
    return f"{written}.{rest}" if rest else written


def stretch(start: float, end: float) -> str:
    """Write a stretch of a video as players do, to the tenth of a second: ``0:07-0:12``, ``0:07.5-0:12``."""
    return "-".join("" if math.isnan(moment) else clock(moment, tenths=True) for moment in (start, end))
