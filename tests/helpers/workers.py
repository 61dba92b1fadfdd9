"""Stand-ins for ``cover.video.load_views`` in decoding processes: files that hang or bring their process down."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from cover.video import LoadedViews, load_views


def treacherous(source: str | Path, *args: Any, **kwargs: Any) -> LoadedViews:
    """Does what the file's name says before it loads it."""
    name = Path(source).name
    if "hang" in name:
        time.sleep(3600)
    if "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "bug" in name:
        raise ZeroDivisionError("a bug of ours\nwith a second line")
    return load_views(source, *args, **kwargs)
