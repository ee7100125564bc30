"""Text from elsewhere, fit to be shown in a line: in a log, or in a message on a page."""

LONGEST = 200
"""Characters."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text in one line, cut after `longest` characters; what could forge a line or turn it round is escaped.

    That is control and format characters, and blanks but the space: a line feed becomes `\\n`, U+202E `\\u202e`.
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return cut if cut.isprintable() else "".join(map(_escaped, cut))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
