"""The address with which a program on the desk opens one study."""

from urllib.parse import quote

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.audit.tokens import make_study_token
from apps.studies.models import Study
from apps.studies.services import note_viewing
from apps.viewer.models import Launcher

# Some programs read the decoded address as a command line: a quote in a value of some
# device's would end the argument it stands in, and begin another one.
_HARMFUL = str.maketrans("", "", "\"'`\\")


def launch(launcher: Launcher, study: Study, *, user: User, dicomweb: str, origin: Origin) -> str:
    """The address for this study, encoded; `dicomweb` is ours with its host.

    The journal says that the study was looked at, and that a token was made where one is.
    """
    with transaction.atomic():
        note_viewing(study, origin=origin)
        values = {
            "study_uid": study.study_instance_uid,
            "accession": study.accession_number,
            "patient_id": study.patient_identifier,
            "dicomweb": dicomweb,
            "ae_title": settings.OPENPACS_AE_TITLE,
            "token": _token(launcher, study, user, origin) if launcher.needs_token else "",
        }
    return launcher.template.format(**{name: encoded(value) for name, value in values.items()})


def encoded(value: str) -> str:
    """A value as a part of an address, without what ends an argument of a command line."""
    harmless = "".join(one for one in value.translate(_HARMFUL) if one.isprintable())
    return quote(harmless, safe="")


def _token(launcher: Launcher, study: Study, user: User, origin: Origin) -> str:
    _row, secret = make_study_token(
        user,
        name=launcher.name,
        study_instance_uid=study.study_instance_uid,
        origin=origin,
    )
    return secret
