"""Lint the prose of the docs: banned phrases, long lines, and proselint without its checks of typography and spelling.

python -m tools.prose [FILE ...]
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110
# Phrase -> the words to use instead.
BANNED = {
    r"\banew\b": "again",
    r"\blikewise\b": "repeat the words",
    r"\b(?:is|are) none\b": "is not a, does not exist",
    r"\btells?\b": "shows, reports",
    r"\bmakes of\b": "computes from",
    r"\bbeyond chance\b": "significantly",
    r"\bheld against\b": "compared with",
    r"\bof no account\b": "ignored",
}


def pages() -> list[Path]:
    """List the Markdown files that people read."""
    return [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/*.md"))]


def prose(path: Path) -> list[str]:
    """Give the lines of a page without code, tables, pictures and addresses, which become empty."""
    text = path.read_text(encoding="utf-8")
    for pattern in (r"^```.*?^```", r"^[|<!].*?$", r"`[^`]*`", r"\]\([^)]*\)", r"https?://\S+"):
        empty = re.compile(pattern, re.DOTALL | re.MULTILINE)
        text = empty.sub(lambda match: "\n" * match[0].count("\n"), text)
    return text.split("\n")


def findings(path: Path) -> Iterator[str]:
    """Give a line for each long line and each banned phrase of a page."""
    whole = path.read_text(encoding="utf-8").split("\n")
    for number, (line, words) in enumerate(zip(whole, prose(path), strict=True), start=1):
        where = f"{path.relative_to(ROOT)}:{number}"
        if len(line) > WIDTH and words.strip() and " " in line[:WIDTH] and not line.startswith("#"):
            yield f"{where}: {len(line)} characters; wrap at {WIDTH}"
        for pattern, better in BANNED.items():
            if match := re.search(pattern, words, re.IGNORECASE):
                yield f"{where}: {match[0]!r}; write: {better}"


def proselint(files: Sequence[Path]) -> list[str]:
    """Give the findings of proselint but those of symbols and accents, which are a matter of taste here."""
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            copy = Path(folder, path.relative_to(ROOT))
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(re.sub(r"(?m)^#.*$", "", "\n".join(prose(path))), encoding="utf-8")
        command = [sys.executable, "-m", "proselint", "--output-format", "compact", "check", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return [f"proselint failed: {done.stderr.strip()}"]
    lines = [line.removeprefix(f"{folder}/") for line in done.stdout.splitlines()]
    return [line for line in lines if not re.search(r": (typography|spelling)\.", line)]


def main(arguments: Sequence[str] = ()) -> int:
    """Print the findings; gives 1 where there are some, else 0."""
    files = [Path(name).resolve() for name in arguments] or pages()
    found = [finding for path in files for finding in findings(path)] + proselint(files)
    print("\n".join(found) or f"{len(files)} pages are fine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
