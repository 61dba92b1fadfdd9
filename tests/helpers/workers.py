"""Stand-ins for ``cover.video.load_views`` in decoding processes: files that hang or bring their process down."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from cover.decoding.parts import STALLED, PartGroup, keep_part
from cover.video import LoadedViews, ViewSpec, load_views


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


def treacherous_part(run: PartGroup, number: int, spec: ViewSpec, path: Path) -> None:
    """Hangs at the part that starts at 2 s, crashes at the one from 4 s, and loads the others."""
    start = run.parts[number][0]
    if start == 2.0:
        time.sleep(3600)
    if start == 4.0:
        os.kill(os.getpid(), signal.SIGSEGV)
    keep_part(run, number, spec, path)


def ending(item: int, delay: float) -> int:
    """Gives the item; the process of every second one ends by itself a little later."""
    if item % 2 == 0:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGSEGV)).start()
    return item


def stalled_shots(*_: Any, **__: Any) -> None:
    """Ends as a search for shots does that has met no frame for a while."""
    os._exit(STALLED)
