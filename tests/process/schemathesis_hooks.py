"""What Schemathesis, a process of its own, takes from here: made-up ids, and which cases it leaves out.

Not in the tests' module, which imports the application: that takes longer than to load Schemathesis.
"""

from typing import Any

import schemathesis
from hypothesis import strategies as st

from roompulse.errors import BadRequest
from roompulse.report.ids import JOINERS, MAX_ID_LENGTH, id_fault
from roompulse.web.http.times import parse_time

OF_LISTS = (
    *("state", "severity", "room_id", "user_id", "kind", "reporter_id", "by", "against_from", "against_to"),
    *("q", "level", "order", "offset"),
)

characters = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), include_characters=JOINERS)
ids = st.sampled_from(["room-1", "u1"]) | st.text(characters, min_size=1, max_size=MAX_ID_LENGTH).filter(
    lambda text: id_fault(text) is None
)

schemathesis.openapi.format("roompulse-id", ids)


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Leave out rules that the document has only in words: unknown names are ignored, ranges begin before they end."""
    query = case.query or {}
    if set(query) - {"from", "to", "step", "limit", "about", "stream_id", "direction", *OF_LISTS}:
        return False
    is_whole = ("against_from" in query) == ("against_to" in query)
    return is_whole and _in_order(query, "from", "to") and _in_order(query, "against_from", "against_to")


def _in_order(query: Any, first: str, last: str) -> bool:
    try:
        return parse_time(first, str(query[first])) <= parse_time(last, str(query[last]))
    except (KeyError, BadRequest):
        return True
