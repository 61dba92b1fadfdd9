"""Lint prose: banned phrases in docs and code, opening words of docstrings, long lines of docs, and proselint.

Proselint checks the docs, without its checks of typography and spelling.

python -m tools.prose [FILE ...]
"""

import ast
import io
import re
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 110
# Phrase -> the words to use instead.
BANNED = {
    r"\banew\b": "again",
    r"\blikewise\b": "repeat the words",
    r"\b(?:is|are) (?-i:none)\b": "is not a, does not exist",
    r"\btells\b": "shows, reports",
    r"\bmakes of\b": "computes from",
    r"\bbeyond chance\b": "significantly",
    r"\bh(?:old|olds|olding|eld)\b (?:\w+ ){0,4}against\b": "compares with",
    r"\bgo(?:es)? on\b": "continues",
    r"\bof no account\b": "ignored",
}
# A docstring opens with a verb or with the name of a thing.
BANNED_OPENINGS = {"From", "It", "Its", "That", "These", "This", "Those", "What", "Where", "Whether", "Which"}
CODE = ("cover", "datasets", "tools", "benchmarks")


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


def modules() -> list[Path]:
    """List the files of code whose words people read."""
    scripts = sorted(ROOT.glob("*.py"))
    return [*scripts, *sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))]


def findings_in_code(path: Path) -> Iterator[str]:
    """Give a line for each banned phrase in the strings and comments of a module, and each banned opening word."""
    text = path.read_text(encoding="utf-8")
    where = path.relative_to(ROOT)
    words = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in words or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(token.string.split("\n"), start=token.start[0]):
            for pattern, better in BANNED.items():
                if match := re.search(pattern, line, re.IGNORECASE):
                    yield f"{where}:{number}: {match[0]!r}; write: {better}"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        opening = (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
        if opening and opening[0].rstrip(",:.") in BANNED_OPENINGS:
            name = getattr(node, "name", "the module")
            yield f"{where}:{getattr(node, 'lineno', 1)}: the docstring of {name} opens with {opening[0]!r}"


def findings_in_lines(path: Path) -> Iterator[str]:
    """Give a line for each banned phrase of a text file."""
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        for pattern, better in BANNED.items():
            if match := re.search(pattern, line, re.IGNORECASE):
                yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write: {better}"


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
    configs = [ROOT / "Makefile", ROOT / "pyproject.toml", *sorted(ROOT.glob("configs/**/*.yaml"))]
    files = [Path(name).resolve() for name in arguments] or [*pages(), *modules(), *configs]
    docs = [path for path in files if path.suffix == ".md"]
    code = [path for path in files if path.suffix == ".py"]
    found = [finding for path in docs for finding in findings(path)] + (proselint(docs) if docs else [])
    found += [finding for path in code for finding in findings_in_code(path)]
    found += [finding for path in files if path not in (*docs, *code) for finding in findings_in_lines(path)]
    print("\n".join(found) or f"{len(files)} files are fine")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
