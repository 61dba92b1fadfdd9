"""Write docs/options.md from the schema of the options, and the table of datasets in docs/datasets.md from their cards.

python -m tools.options
"""

import re
from pathlib import Path

import yaml

from cover.cli.help import EXIT_CODES, default_config, groups
from cover.config.compose import config_folder
from cover.config.describe import option_rows
from cover.config.options.results import COMMANDS, command_rows, usage
from cover.config.options.schemas import SCHEMAS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, DATASETS = DOCS / "options.md", DOCS / "datasets.md"
_HEAD = """\
# Options

`cover COMMAND key=value ...` (in a checkout also `python infer.py`, `evaluate.py`, `train.py`). Everything
else is [Hydra](https://hydra.cc): `--cfg job` shows the composed config, `--multirun` runs one job for each
of several values, `--config-dir DIR` adds configs of your own (`DIR/data/mine.yaml` is `data=mine`).

Paths need only the quoting of the shell, whatever characters they contain. `make docs` writes this page.
"""


def page() -> str:
    """Write the page: the options that all commands share, then those of each, groups and exit codes."""
    rows = {task: option_rows(task, default_config(task)) for task in SCHEMAS}
    shared = [row for row in rows["infer"] if all(row in others for others in rows.values())]
    parts = [_HEAD, "## All commands\n", _table(shared)]
    for task, found in rows.items():
        parts += [f"## `{task}`\n", _table([row for row in found if row not in shared])]
    for command, schema in COMMANDS.items():
        parts += [f"## `{command}`\n", f"`{usage(command)}`\n", _table(command_rows(schema))]
    parts += ["## Groups\n", "| group | names |\n|---|---|\n"]
    for group, names in groups().items():
        parts[-1] += f"| `{group}=` | {', '.join(f'`{name}`' for name in names)} |\n"
    parts += ["## Exit codes\n", "| code | meaning |\n|---|---|\n"]
    parts[-1] += "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES)
    return "\n".join(parts)


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |\n" for name, default, meaning in rows]
    return "| option | default | meaning |\n|---|---|---|\n" + "".join(lines)


def _linked(text: str) -> str:
    """Give text whose addresses are links."""
    return re.sub(r"https?://[^\s,;)]+", lambda match: f"<{match[0]}>", text)


def datasets_page() -> str:
    """Give docs/datasets.md with the table of public datasets as their cards say."""
    lines = ["| `data=` | Dataset | Videos | Resolution | MOS | Terms | Source |", "|---|---|---|---|---|---|---|"]
    for path in sorted(config_folder().glob("data/[!_]*.yaml")):
        if card := yaml.safe_load(path.read_text(encoding="utf-8")).get("card"):
            facts = [card[key] for key in ("title", "videos", "resolution", "mos", "terms")]
            lines.append(f"| `{path.stem}` | {' | '.join(facts)} | {_linked(card['source'])} |")
    text = DATASETS.read_text(encoding="utf-8")
    start, end = "<!-- cards: written by make docs -->\n", "\n<!-- end of cards -->"
    return re.sub(f"{start}.*{end}", lambda _: start + "\n".join(lines) + end, text, flags=re.DOTALL)


def main() -> None:
    """Write the files."""
    PAGE.write_text(page(), encoding="utf-8")
    DATASETS.write_text(datasets_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
