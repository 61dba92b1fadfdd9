"""Printing: lines that break between words on a terminal, and tables."""

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from cover.text import wrapped


class TextLine:
    """A line of text. A terminal shows it broken between words; a file or a pipe gets it as one line.

    Args:
        text: The text, without markup.
        whole: Whether it is never broken, so that the path in it can be copied.
    """

    def __init__(self, text: str, *, whole: bool = False) -> None:
        self._text = text
        self._whole = whole

    def __rich_console__(self, console: Console, place: ConsoleOptions) -> RenderResult:
        """Break the line for the width that there is."""
        width = place.max_width if console.is_terminal and not self._whole else None
        yield Text(wrapped(self._text, width), no_wrap=True, overflow="ignore")


def show(*renderables: RenderableType, stderr: bool = False) -> None:
    """Print tables and lines on standard output, or on standard error; a text is a :class:`TextLine`."""
    console = Console(stderr=stderr)
    for renderable in renderables:
        # rich would cut off what is wider than the terminal.
        console.print(TextLine(renderable) if isinstance(renderable, str) else renderable, crop=False)


def where(what: str, path: object, more: str = "") -> TextLine:
    """Say where something is: a line that is never broken, such as ``results: DIR (ranking.csv)``."""
    return TextLine(f"{what}: {path}{more}", whole=True)
