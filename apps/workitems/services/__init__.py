"""What can be done with workitems."""

from apps.workitems.services.events import (
    forget_events,
    mark_delivered,
    report_of,
    waiting_notices,
)
from apps.workitems.services.exams import OPEN, exams_without_workitem, show_exam
from apps.workitems.services.refusals import (
    FinalStateUnmet,
    NobodyToAsk,
    NotSubscribed,
    StateRefused,
    TransactionMissing,
    TransactionWrong,
    WorkitemExists,
    WorkitemFinal,
    WorkitemInvalid,
    WorkitemOfExam,
    WorkitemRefused,
    WorkitemUnclaimed,
)
from apps.workitems.services.states import change_state, request_cancellation
from apps.workitems.services.subscriptions import (
    subscribe,
    subscribe_filtered,
    subscribe_to_all,
    suspend,
    unsubscribe,
    unsubscribe_from_all,
)
from apps.workitems.services.workitems import Created, change_workitem, create_workitem

__all__ = [
    "OPEN",
    "Created",
    "FinalStateUnmet",
    "NobodyToAsk",
    "NotSubscribed",
    "StateRefused",
    "TransactionMissing",
    "TransactionWrong",
    "WorkitemExists",
    "WorkitemFinal",
    "WorkitemInvalid",
    "WorkitemOfExam",
    "WorkitemRefused",
    "WorkitemUnclaimed",
    "change_state",
    "change_workitem",
    "create_workitem",
    "exams_without_workitem",
    "forget_events",
    "mark_delivered",
    "report_of",
    "request_cancellation",
    "show_exam",
    "subscribe",
    "subscribe_filtered",
    "subscribe_to_all",
    "suspend",
    "unsubscribe",
    "unsubscribe_from_all",
    "waiting_notices",
]
