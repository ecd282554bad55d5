"""The verbs of routing."""

from apps.routing.services.deciding import change_destination, drop, send_again
from apps.routing.services.fitting import Verdict, routes, verdicts
from apps.routing.services.queueing import (
    SendingRefused,
    ask_to_send,
    route_study,
    tell_availability,
)
from apps.routing.services.working import claim_next

__all__ = [
    "SendingRefused",
    "Verdict",
    "ask_to_send",
    "change_destination",
    "claim_next",
    "drop",
    "route_study",
    "routes",
    "send_again",
    "tell_availability",
    "verdicts",
]
