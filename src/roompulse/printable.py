"""Text from elsewhere, fit to be shown in a line: in a log, or in a message on a page."""

LONGEST = 200
"""Characters."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text in one line, cut after `longest` characters, with what could forge a line or turn it round escaped.

    That is control and format characters, and all blanks but the space, as Python writes them.
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return cut if cut.isprintable() else "".join(map(_escaped, cut))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
