"""Escapes untrusted text for one line of a log, or of a message on a page."""

LONGEST = 200
"""Characters."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text in one line of at most `longest` characters.

    Characters that could forge a line or reverse its direction are escaped as in Python: control and format characters,
    and all blanks but the space.
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return cut if cut.isprintable() else "".join(map(_escaped, cut))


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
