"""Why something is not done with a workitem."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class WorkitemRefused(Exception):
    """Of every refusal of this room."""


class WorkitemExists(WorkitemRefused):
    """There is a workitem with this UID."""

    def __init__(self) -> None:
        super().__init__(_("There is a work item with this UID already."))


class WorkitemInvalid(WorkitemRefused):
    """The data set is not what PS3.4 table CC.2.5-3 asks for."""

    def __init__(self, faults: Iterable[str]) -> None:
        super().__init__(f"{'; '.join(faults)}.")


class WorkitemFinal(WorkitemRefused):
    """Completed and cancelled workitems do not change."""

    def __init__(self) -> None:
        super().__init__(_("The work item is completed or cancelled and cannot be changed."))


class TransactionMissing(WorkitemRefused):
    """Whoever has claimed it proves that with its Transaction UID."""

    def __init__(self) -> None:
        super().__init__(_("The Transaction UID is missing."))


class TransactionWrong(WorkitemRefused):
    """Somebody else has claimed it."""

    def __init__(self) -> None:
        super().__init__(_("The Transaction UID is incorrect."))


class WorkitemUnclaimed(WorkitemRefused):
    """A Transaction UID was given, and nobody has claimed the workitem."""

    def __init__(self) -> None:
        super().__init__(_("The work item was not claimed by anybody."))


class StateRefused(WorkitemRefused):
    """The state cannot be entered from the present one (PS3.4 table CC.1.1-2)."""

    def __init__(self, state: str, wanted: str) -> None:
        text = _("From %(state)s a work item cannot become %(wanted)s.")
        super().__init__(text % {"state": state, "wanted": wanted})


class FinalStateUnmet(WorkitemRefused):
    """Something has to be said before the final state is entered (PS3.4 CC.2.5.1.1)."""

    def __init__(self, missing: list[str]) -> None:
        text = ngettext(
            "Before that this has to be filled: %s.",
            "Before that these have to be filled: %s.",
            len(missing),
        )
        super().__init__(text % ", ".join(missing))


class WorkitemOfExam(WorkitemRefused):
    """It shows an exam of the department, which is changed where exams are changed."""

    def __init__(self) -> None:
        super().__init__(_("This work item shows an exam of the department; it is only looked at."))


class NobodyToAsk(WorkitemRefused):
    """Nobody is subscribed who could cancel a workitem in progress (C312)."""

    def __init__(self) -> None:
        super().__init__(_("Nobody who could cancel the work item is listening."))


class NotSubscribed(WorkitemRefused):
    """There is no such subscription."""

    def __init__(self) -> None:
        super().__init__(_("There is no such subscription."))
