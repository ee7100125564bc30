"""Rooms and users are searched by their ids and by the names that reports give them."""


def is_named(wanted: str, ident: str, name: str | None) -> bool:
    """Whether an id or a name contains `wanted`, which is casefolded; without regard to case."""
    return wanted in ident.casefold() or (name is not None and wanted in name.casefold())
