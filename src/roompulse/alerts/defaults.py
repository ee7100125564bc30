"""The rules of a new server: few and quiet, and without a channel, so that they show on pages alone."""

from roompulse.alerts.model import Condition, Rule
from roompulse.quality import FAIR_FROM

DEFAULT_RULES = (
    Rule(
        id="most-users-poor",
        name="Most users of a room are poor",
        severity="critical",
        subject="room",
        when=[Condition("poor_share", ">=", 50.0)],
        hold=30.0,
        clear_for=15.0,
        min_users=3,
    ),
    Rule(
        id="user-poor",
        name="A user is poor",
        severity="warning",
        subject="user",
        when=[Condition("score", "<", FAIR_FROM)],
        hold=60.0,
        clear_for=15.0,
        min_users=2,
    ),
    Rule(
        id="no-reports",
        name="No reports arrive",
        severity="critical",
        subject="server",
        when=[Condition("silent_for", ">=", 60.0)],
    ),
    Rule(
        id="reports-rejected",
        name="Reports of an SDK version are rejected",
        severity="warning",
        subject="server",
        when=[Condition("refused_share", ">", 5.0)],
        hold=300.0,
        clear_for=60.0,
    ),
)
