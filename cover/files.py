"""Files that are whole at every moment, and folders that one run writes to at a time."""

import contextlib
import csv
import hashlib
import io
import logging
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from cover.errors import CoverError, UsageError
from cover.text import as_cells, printable

_PIECE = 65_536  # bytes of a file that its digest reads at each place
log = logging.getLogger(__name__)

LOCK = ".lock"

_QUOTED = re.compile('["\r\n]')


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file so that a kill leaves either the old or the new one, whoever else writes it at the same time.

    Args:
        path: The file; its folder must exist.

    Yields:
        Where to write. The file there takes the place of ``path`` when the block ends, and is removed when it fails.

    Raises:
        OSError: It cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part")
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())  # mkstemp's are readable by their owner only
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def replaced_text(path: Path) -> Iterator[TextIO]:
    """Write a text file that takes the place of an old one when the block ends (:func:`replacing`)."""
    with (
        replacing(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        yield file


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file (see :func:`replacing`), and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; the text is made valid UTF-8."""
    write_bytes(path, printable(text).encode())


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a whole CSV file (see :func:`replacing`): a header and one line a row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_text(path) as file:
        file.write(csv_line(*header) + "\n")
        file.writelines(csv_line(*map(str, row)) + "\n" for row in rows)


def append_line(path: Path, line: str) -> int:
    """Add a line in a single write, so that processes may share the file.

    Returns:
        Where the line begins, in bytes.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        data = printable(line + "\n").encode()
        written = os.write(descriptor, data)
        place = os.lseek(descriptor, 0, os.SEEK_CUR) - written
        while written < len(data):  # a disk that is nearly full takes a part, and then says that it is full
            written += os.write(descriptor, data[written:])
        return place
    finally:
        os.close(descriptor)


def end_line(path: Path) -> None:
    """End the line that a kill cut short, so that the next entry begins its own line. The file need not exist."""
    with contextlib.suppress(FileNotFoundError), path.open("rb+") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def csv_line(*values: str) -> str:
    """Format one line of CSV, without its end, so that no cell does harm (:func:`cover.text.as_cell`)."""
    cells = as_cells(values)
    line = ",".join(cells)
    # Most lines need no quotes. A line of a single empty field does: it would be a blank line.
    if line and line.count(",") == len(cells) - 1 and not _QUOTED.search(line):
        return line
    text = io.StringIO()
    # Before Python 3.13 a field is quoted only for the characters of the line terminator, hence both of them.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def set_aside(paths: Sequence[Path]) -> None:
    """Move earlier results to a folder below ``previous/`` beside them, named by the time of the first one.

    Args:
        paths: Files and folders of one folder, of which the first exists; others need not.
    """
    moment = datetime.fromtimestamp(paths[0].stat().st_mtime).astimezone()
    target = paths[0].parent / "previous" / moment.strftime("%Y%m%d-%H%M%S.%f")
    target.mkdir(parents=True)
    for path in paths:
        if path.exists():
            path.rename(target / path.name)
    log.info("earlier results in this folder are now in %s", target)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for temporary files, which goes when the block ends.

    Its name holds this machine and process, so that the next run removes what a killed one has left.
    """
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"cover-{machine}-*"):
        _remove_if_left(left, machine)
    with tempfile.TemporaryDirectory(prefix=f"cover-{machine}-{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _remove_if_left(folder: Path, machine: str) -> None:
    """Remove a temporary folder of this user whose process is gone; links and folders of others stay."""
    match = re.fullmatch(rf"cover-{machine}-([0-9]+)-\w+", folder.name)
    if match is None or not hasattr(os, "getuid"):
        return
    with contextlib.suppress(OSError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            return
        try:
            os.kill(int(match[1]), 0)
        except (ProcessLookupError, OverflowError):
            shutil.rmtree(folder, ignore_errors=True)


def content_digest(path: Path) -> str | None:
    """Identify the content of a file by its size and 64 KB at its start, middle and end; None if it cannot be read.

    The same file has the same digest under any name and on any machine.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(str(size).encode())
            for place in (0, max(0, size // 2 - _PIECE // 2), max(0, size - _PIECE)):
                file.seek(place)
                digest.update(file.read(_PIECE))
    except OSError:
        return None
    return digest.hexdigest()[:32]


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a regular file, and neither a link nor a pipe, which a folder of others may hold."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def check_plain(folder: Path, names: Iterable[str]) -> None:
    """Refuse a results folder in which one of our files is a link, a pipe or a device.

    Args:
        folder: The folder.
        names: Names of the files and folders that are read or written in it.

    Raises:
        UsageError: One of them is neither a file nor a folder.
    """
    for name in names:
        try:
            mode = (folder / name).lstat().st_mode
        except OSError:
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
            raise UsageError(f"{folder / name}: {kind}; remove it: a results folder holds its own files only")


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a results folder for this process; the operating system lets go of it even when the process is killed.

    Args:
        folder: The folder; made when missing.

    Raises:
        UsageError: Another run is writing there.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(
            f"output={folder}: another run is writing there; wait for it to end, or name another folder"
        ) from None
    stays = False
    try:
        yield
    except CoverError:
        raise
    except BaseException:
        stays = True  # whoever handles it writes to the log there
        raise
    finally:
        lock.release()
        if not stays and [path.name for path in folder.iterdir()] == [LOCK]:  # of a run that was refused
            with contextlib.suppress(OSError):
                (folder / LOCK).unlink()
                folder.rmdir()


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
