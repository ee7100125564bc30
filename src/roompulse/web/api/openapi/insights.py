"""The operations of /report/insights and /report/trends in the OpenAPI document."""

from roompulse.insights.cell import MOST_VALUES
from roompulse.insights.model import DIMENSIONS, Insights, TrendPoint
from roompulse.web.api.openapi.parts import Json, array, get, parameter

INSIGHT_TYPES = [Insights, TrendPoint]

_BY: Json = {
    "anyOf": [
        {"enum": list(DIMENSIONS)},
        {"type": "string", "pattern": "^label:[a-z][a-z0-9_]{0,31}$"},
    ],
    "default": DIMENSIONS[0],
}


def insight_paths(history_parameters: list[Json]) -> Json:
    """`history_parameters` are those of a room's history, some of which these have too."""
    start, end, step, limit = history_parameters
    against = [
        one | {"name": f"against_{one['name']}", "description": "Compare with this range, not with all others"}
        for one in (start, end)
    ]
    most = limit | {
        "description": "Number of groups, those with the most user-minutes; the others are in `rest`",
        "schema": limit["schema"] | {"default": MOST_VALUES},
    }
    by = parameter("by", "What users are grouped by", _BY)
    return {
        "/report/insights": get(
            "Users by what they have in common, and whether more of their minutes are poor",
            [by, start, end, *against, most],
            {"$ref": f"#/components/schemas/{Insights.__name__}"},
            400,
            503,
        ),
        "/report/trends": get(
            "Trends of the whole server, oldest first",
            [start, end, step],
            array({"$ref": f"#/components/schemas/{TrendPoint.__name__}"}),
            400,
            503,
        ),
    }
