"""Everything the demo prints goes through here: colour and movement in a terminal, plain lines in a pipe.

rich obeys NO_COLOR by itself. Nothing here decides what is said.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hack.demo import digits, view

_STYLES = {"done": "green", "failed": "bold red", "waiting": "yellow"}
_GLYPHS = {"done": "✔", "failed": "✘", "waiting": "●"}
_ASCII_GLYPHS = {"done": "+", "failed": "x", "waiting": "."}


class Screen:
    """The terminal, or whatever stands in for it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        unicode = "utf" in self.console.encoding.lower()
        self._glyphs = _GLYPHS if unicode else _ASCII_GLYPHS
        self.shades = digits.shades(self.console.encoding)

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        self.console.print(Text(text, style=style))

    def title(self, text: str) -> None:
        """Print the heading of what comes."""
        self.say()
        self.say(text, "bold")

    def block(self, lines: Sequence[str], style: str = "") -> None:
        """Print lines as they are, a little indented."""
        for line in lines:
            self.say(f"  {line}".rstrip(), style)

    def step(self, text: str, seconds: float) -> None:
        """Print a step of the set-up that is done."""
        self.console.print(
            Text.assemble("  ", (self._glyphs["done"], _STYLES["done"]), f" {text}", (f"  {seconds:.1f} s", "dim"))
        )

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Turn a wheel while something takes its time; in a pipe there is nothing to see until it is done."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(text):
            yield

    def success(self, text: str) -> None:
        """Print what went well."""
        self.console.print(Text.assemble((self._glyphs["done"], _STYLES["done"]), f" {text}"))

    def failure(self, text: str) -> None:
        """Print what went wrong."""
        self.console.print(Text.assemble((self._glyphs["failed"], _STYLES["failed"]), f" {text}"))

    def follow(self, heading: Callable[[], str]) -> "Conditions":
        """Return the live view of conditions."""
        return Conditions(self, heading)

    def row(self, row: view.Row) -> tuple[Text, Text, Text, Text]:
        """Return a condition as cells."""
        kind = "failed" if row.failed else "done" if row.status == "True" else "waiting"
        style = _STYLES[kind]
        return Text(self._glyphs[kind], style), Text(row.type), Text(row.reason, style), Text(row.message, "dim")


class Conditions:
    """A live table in a terminal; in a pipe, one line for each transition."""

    def __init__(self, screen: Screen, heading: Callable[[], str]) -> None:
        self._screen = screen
        self._heading = heading
        self._rows: list[view.Row] = []
        self._since = time.monotonic()
        self._live = Live(
            get_renderable=self._table, console=screen.console, refresh_per_second=4, vertical_overflow="visible"
        )

    def __enter__(self) -> "Conditions":
        if self._screen.console.is_terminal:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._screen.console.is_terminal:
            self._live.stop()

    def show(self, rows: Sequence[view.Row]) -> None:
        """Show these conditions now."""
        changed = view.transitions(self._rows, rows)
        self._rows = list(rows)
        if self._screen.console.is_terminal:
            return
        elapsed = time.monotonic() - self._since
        for row in changed:
            self._screen.say(
                f"  {elapsed:6.1f} s  {row.type:<13} {row.status:<8} {row.reason:<24} {row.message}".rstrip()
            )

    def _table(self) -> Group:
        # The messages take what is left of the width: without a ratio rich would shrink the marks away for them.
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(min_width=13, no_wrap=True)
        table.add_column(min_width=16, no_wrap=True)
        # One line a condition: a table that changes its height as messages come and go cannot be read.
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for row in self._rows:
            table.add_row(*self._screen.row(row))
        return Group(table, Text(f"  {self._heading()}", "dim"))
