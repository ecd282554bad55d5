"""What the first image would have to wait for, done before it comes."""

import contextlib

from django.conf import settings
from django.db import Error as DatabaseError

from apps.dimse.admission import Caller, find_device
from apps.dimse.database import leave_connection
from apps.dimse.negotiation import APPLICATION_CONTEXT, PROTOCOL_VERSION
from apps.dimse.proposals import Proposal
from apps.studies.services import coerces
from apps.studies.tasks import nudge


def rehearse() -> None:
    """Ask for a device that there is not, for the rules, and for nothing to be indexed.

    Connections to database and broker are open afterwards, and statements made. One that is
    away is left to those who need it.
    """
    with contextlib.suppress(DatabaseError):
        find_device(_nobody(), Caller("127.0.0.1"))
        coerces("")
    leave_connection()
    nudge([])


def _nobody() -> Proposal:
    return Proposal(
        called=settings.OPENPACS_AE_TITLE,
        calling="",
        protocol_version=PROTOCOL_VERSION,
        application_context=APPLICATION_CONTEXT,
    )
