"""Trials that take too long for tests: thousands of damaged files, and commands that are killed at random moments.

python -m tools.trials mutants 5000
python -m tools.trials kills 30

Both print counts, and end with 1 where something is not as it should be.
"""

import argparse
import hashlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from cover.decoding.decoder import Decoder
from cover.processes import available_cpus
from cover.rows import Failure, Row
from cover.video import ViewSpec

_ROOT = Path(__file__).resolve().parent.parent
_VIDEOS = {  # suffix: container, encoder
    "mp4": ("mp4", "libx264"),
    "mov": ("mov", "mpeg4"),
    "mkv": ("matroska", "libx264"),
    "webm": ("webm", "libvpx-vp9"),
    "avi": ("avi", "mpeg4"),
    "flv": ("flv", "flv"),
    "ts": ("mpegts", "mpeg2video"),
    "nut": ("nut", "mpeg4"),
    "wmv": ("asf", "wmv2"),
    "h264": ("h264", "libx264"),
}
_IMAGES = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_GOOD = {"killed", "ended before", "equal bytes"}
_VIEWS = ViewSpec()
_BATCH = 250  # mutants that are decoded by one process and its decoders
_UNSTABLE = re.compile(rb"(?m)^(started|run_id|date).*$|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+]+")
# What holds times, the order of finishing, or how often a training was resumed.
_PASSING = {".lock", "run.yaml", "journal.jsonl", "evidence.jsonl", "last.ckpt"}


def seeds() -> Iterator[tuple[str, bytes]]:
    """Make small files of every kind, as far as there are encoders for them."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 64, 3), np.uint8).repeat(2, 0).repeat(2, 1) for _ in range(12)]
    for suffix, (container, encoder) in _VIDEOS.items():
        file = io.BytesIO()
        try:
            with av.open(file, "w", format=container) as output:
                stream: Any = output.add_stream(encoder, rate=Fraction(25))
                stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
                for frame in frames:
                    output.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
                output.mux(stream.encode())
        except (av.FFmpegError, ValueError) as error:
            print(f"no .{suffix}: {error}")
            continue
        yield suffix, file.getvalue()
    for kind in _IMAGES:
        file = io.BytesIO()
        try:
            Image.fromarray(frames[0]).save(file, kind)
        except (OSError, KeyError) as error:
            print(f"no {kind}: {error}")
            continue
        yield kind.lower(), file.getvalue()


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Damage a file in one of several ways."""
    changed = bytearray(data)
    place, length = rng.randrange(len(data)), rng.choice((1, 4, 16, 256, len(data) // 4 + 1))
    noise = rng.randbytes(length)
    ways: Sequence[Callable[[], bytes]] = (
        lambda: data[:place],
        lambda: data[place:],
        lambda: data[:place] + bytes(length) + data[place + length :],
        lambda: data[:place] + noise + data[place + length :],
        lambda: data[:place] + data[place + length :],
        lambda: data[:place] + noise + data[place:],
        lambda: data[:place] + data[place : place + length] * 2 + data[place + length :],
        lambda: data[len(data) // 2 :] + data[: len(data) // 2],
        lambda: data[:64] + noise + data[64 + length :],
        lambda: data[:place] + b"\xff" * length + data[place + length :],
    )
    for _ in range(rng.choice((1, 3, 20))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return rng.choice((*ways, lambda: bytes(changed)))()


def try_mutants(count: int) -> int:
    """Decode damaged files; a trace, a crash, an unexpected error or a file without an outcome is a fault."""
    rng, kinds = random.Random(0), list(seeds())
    faults: list[str] = []
    outcomes = Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        for batch in range(0, count, _BATCH):
            folder = Path(place, f"batch{batch}")
            folder.mkdir()
            for number in range(batch, min(batch + _BATCH, count)):
                suffix, data = kinds[number % len(kinds)]
                (folder / f"{number}.{suffix}").write_bytes(mutant(data, rng))
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "tools.trials", "decode", str(folder)],
                capture_output=True,
                text=True,
                check=False,
                cwd=_ROOT,
            )
            reasons = done.stdout.splitlines()
            outcomes["refused"] += sum(bool(reason) for reason in reasons)
            outcomes["decoded"] += sum(not reason for reason in reasons)
            slow = any("longer than" in reason for reason in reasons)
            odd = [reason for reason in reasons if "unexpected" in reason or "crashed" in reason]
            outcomes["took too long"] += slow
            if done.returncode or "Traceback" in done.stderr or odd or len(reasons) < len(list(folder.iterdir())):
                kept = Path(tempfile.mkdtemp(prefix="cover-mutants-")) / "batch"
                shutil.copytree(folder, kept)
                faults.append(f"{kept}: exit code {done.returncode}, {odd} {done.stderr[-500:]}")
            print(f"{batch + _BATCH}: {dict(outcomes)}, {time.monotonic() - started:.0f} s", flush=True)
            shutil.rmtree(folder)
    print(f"{count} mutants of {len(kinds)} kinds: {dict(outcomes)}; faults: {len(faults)}")
    print("\n".join(faults))
    return bool(faults)


def decode(folder: Path) -> int:
    """Decode every file of a folder as commands do; print a line for each: why it failed, or nothing."""
    rows = [Row(path, path.name) for path in sorted(folder.iterdir())]
    with Decoder(workers=available_cpus(), timeout=30).views(rows, _VIEWS) as decoded:
        for _, outcome in decoded:
            print(outcome.reason if isinstance(outcome, Failure) else "", flush=True)
    return 0


def try_kills(count: int) -> int:
    """Kill commands at random moments, run them again, and compare what they leave with that of a run without kills."""
    rng, bad = random.Random(0), 0
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        _prepare(Path(place))
        for name, (arguments, outputs, before) in _commands().items():
            started = time.monotonic()
            before()
            whole = _run(*arguments)
            seconds, expected = time.monotonic() - started, _digests(outputs)
            counts = Counter[str]()
            for _ in range(count):
                before()
                counts[_killed(arguments, rng.uniform(0.2, seconds))] += 1
                again = _run(*arguments)
                found = _digests(outputs)
                unlike = sorted(path for path in {*found, *expected} if found.get(path) != expected.get(path))
                same = again.returncode == whole.returncode and not unlike
                counts["equal bytes" if same else f"NOT EQUAL: {', '.join(unlike) or again.returncode}"] += 1
            bad += sum(many for outcome, many in counts.items() if outcome not in _GOOD)
            print(f"{name}: {dict(counts)} (exit code {whole.returncode}, {seconds:.1f} s)", flush=True)
    return bool(bad)


def _commands() -> dict[str, tuple[list[str], list[Path], Callable[[], None]]]:
    """Each command with its arguments, what it writes, and what is removed before each trial."""

    def fresh(*folders: str) -> Callable[[], None]:
        def remove() -> None:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)

        return remove

    def no_report() -> None:
        for name in ("report.html", "moments.csv"):
            Path("a", name).unlink(missing_ok=True)

    rated = ["data=table", "data.path=ratings.csv", "model=tiny", "resamples=20"]
    return {
        "infer segments=2": (
            ["infer", "data=clips", "segments=2", "model=tiny", "output=parts"],
            [Path("parts")],
            fresh("parts"),
        ),
        "report": (["report", "a"], [Path("a/report.html"), Path("a/moments.csv")], no_report),
        "compare": (["compare", "a", "b", "output=ab", "resamples=99"], [Path("ab")], fresh("ab")),
        "evaluate": (["evaluate", *rated, "output=rated"], [Path("rated")], fresh("rated")),
        "train": (
            ["train", *rated, "output=trained", "cache.dir=cache", "stages.heads.epochs=3"],
            [Path("trained")],
            fresh("trained", "cache"),
        ),
    }


def _prepare(place: Path) -> None:
    """Make clips, their ratings, and two runs to report and compare."""
    rng = np.random.default_rng(0)
    (place / "clips").mkdir()
    lines = ["path,mos"]
    for number in range(14):
        picture = rng.integers(0, 255, (12, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        with av.open(str(place / f"clips/{number}.mp4"), "w") as output:
            stream: Any = output.add_stream("libx264", rate=Fraction(25), options={"crf": str(18 + 2 * number)})
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            for shift in range(60):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(picture, shift, 1).copy())))
            output.mux(stream.encode())
        lines.append(f"clips/{number}.mp4,{5 - 0.25 * number:.2f}")
    (place / "ratings.csv").write_text("\n".join(lines) + "\n")
    for name, more in (("a", ()), ("b", ("views.sampling=random",))):
        assert _run("infer", "data=clips", "model=tiny", f"output={name}", *more).returncode == 0


def _killed(arguments: Sequence[str], seconds: float) -> str:
    """Start a command and kill it; say whether it had ended before, and whether it left processes."""
    process = subprocess.Popen(
        _command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    if process.returncode is not None:
        return "ended before"
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while _alive(process.pid):
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            return "left processes"
        time.sleep(0.1)
    return "killed"


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _digests(outputs: Sequence[Path]) -> dict[str, str]:
    """Identify each file at some paths, but for times and logs."""
    digests = {}
    for output in outputs:
        for path in output.rglob("*") if output.is_dir() else [output]:
            if path.is_file() and path.name not in _PASSING and path.suffix != ".log":
                digests[str(path)] = hashlib.sha256(_UNSTABLE.sub(b"", path.read_bytes())).hexdigest()
    return digests


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cover.cli", *arguments]


def _run(*arguments: str, timeout: float = 600) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(_command(*arguments), capture_output=True, text=True, check=False, timeout=timeout)


def main() -> int:
    """Read the arguments and run the trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trial", choices=["mutants", "kills", "decode"])
    parser.add_argument("argument", help="how many; of decode, which mutants uses, a folder")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    if options.trial == "decode":
        return decode(Path(options.argument))
    return (try_mutants if options.trial == "mutants" else try_kills)(int(options.argument))


if __name__ == "__main__":
    sys.exit(main())
