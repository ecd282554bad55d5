"""Why a report service says no."""

from django.utils.translation import gettext as _

from apps.accounts.models import User


class ReportRefused(ValueError):
    """Base of every refusal in this room; its text may be shown to a person."""


class NotAllowed(ReportRefused):
    """The role of the person does not allow it."""


class NothingToRead(ReportRefused):
    """The order was cancelled: there is nothing to report."""


class ClaimedByAnother(ReportRefused):
    """Somebody else is writing; `owner` is who."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        super().__init__(
            _("%(owner)s is writing this report. Take it over to go on yourself.")
            % {"owner": owner}
        )


class StaleRevision(ReportRefused):
    """The draft was saved elsewhere since it was loaded here."""

    def __init__(self) -> None:
        super().__init__(
            _("This report was changed in another window. Load the page again to see the change.")
        )


class EmptyReport(ReportRefused):
    """Neither findings nor an impression."""


class AlreadyFinal(ReportRefused):
    """A final report stands as signed; an addendum may follow."""

    def __init__(self) -> None:
        super().__init__(_("This report is signed. Add an addendum instead."))


class NotFinal(ReportRefused):
    """An addendum adds to a final report only."""


class OtherPatientShown(ReportRefused):
    """The viewer shows somebody else than the report is about."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "Not signed: the viewer shows images of another patient. "
                "Go back to the images of this patient, or close the viewer."
            )
        )


class ForeignImage(ReportRefused):
    """The picture shows a study of another patient, or one that is not here."""


class TooManyPictures(ReportRefused):
    """The report has as many pictures as it may have."""
