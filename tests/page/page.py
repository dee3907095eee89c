"""Reads the user's page: its code blocks in order, and the first columns of its tables."""

import pathlib
import re

PAGE = pathlib.Path(__file__).with_name("managing-secrets.txt")
HOST = "https://scaivault.scailabs.ai"

# The published page numbers the lines of long blocks in a column of their own, whose last number runs into the block.
FIRST_LINE = re.compile(r"^(?:\d+ )?\| (.*)$")
LINE_NUMBER = re.compile(r"^\d+$")


class Block:
    def __init__(self, number, line, kind, text):
        self.number, self.line, self.kind, self.text = number, line, kind, text

    def __str__(self):
        return f"block {self.number:2} line {self.line:3} {self.kind:6}"


def classify(text):
    first = text.lstrip()
    if first.startswith("curl "):
        return "curl"
    if first.startswith(("{", "[")):
        return "json"
    if re.match(r"(const|let|var|await) ", first):
        return "js"
    if re.match(r"(import|from) |\w+ = httpx\.", first):
        return "python"
    raise AssertionError(f"a code block of no known language begins with {first[:60]!r}")


def blocks():
    """Every code block of the page, in order."""
    found, open_at, lines = [], None, []
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        if open_at is None:
            begins = FIRST_LINE.match(line)
            if begins and not line.endswith(" |"):  # That would be the corner of a table.
                open_at, lines = number, [begins[1]]
        elif line == "|":
            body = "\n".join(lines) + "\n"
            found.append(Block(len(found) + 1, open_at, classify(body), body))
            open_at = None
        elif not LINE_NUMBER.match(line):
            lines.append(line)
    if open_at is not None:
        raise AssertionError(f"the block that begins on line {open_at} of the page has no end")
    return found


def reindent(python):
    """Gives Python code back the indentation that the published page lost; every other character stays.

    A suite lasts until a comment in the first column, the next statement that opens a suite, or the end of the block.
    """
    lines, depth, inside = [], 0, False
    for line in python.splitlines():
        opens = depth == 0 and line.endswith(":") and not line.startswith("#")
        if depth == 0 and (line.startswith("#") or opens):
            inside = False
        lines.append(("    " if inside else "") + line)
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        inside = inside or opens
    return "\n".join(lines) + "\n"


def runnable_python(text):
    """The block as it is where Python takes it, else with its indentation given back."""
    try:
        compile(text, "block", "exec")
        return text, False
    except IndentationError:
        mended = reindent(text)
        compile(mended, "block", "exec")
        assert [line.strip() for line in mended.splitlines()] == [line.strip() for line in text.splitlines()]
        return mended, True


def table(heading, columns):
    """The rows of the table under `heading`: every cell has a line of its own that ends with ` |`, row after row."""
    lines = PAGE.read_text().splitlines()
    cells = []
    for line in lines[lines.index(heading) + 1:]:
        if not line.endswith(" |"):
            break
        cells.append(line.removeprefix("| ").removesuffix(" |"))
    if not cells or len(cells) % columns:
        raise AssertionError(f"no table of {columns} columns under {heading!r}")
    return [cells[i:i + columns] for i in range(columns, len(cells), columns)]
