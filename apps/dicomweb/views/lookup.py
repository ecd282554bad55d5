"""Finding what an address names among what the user may see; anything else is a 404.

What is rejected is 410 for those who could see it else.
"""

from typing import Any, TypeVar

from django.core.cache import cache
from django.http import Http404, HttpRequest
from django.urls import reverse

from apps.accounts.policy import visible, visible_of
from apps.audit.services import origin_of
from apps.dicomweb.exceptions import GoneError
from apps.studies.models import Instance, Series, Study
from apps.studies.services import note_viewing
from apps.studies.services.viewing import ONCE_IN

M = TypeVar("M", Study, Series, Instance)


def root() -> str:
    """The path of the service: addresses in answers are path-absolute, whatever the host."""
    return reverse("dicomweb:studies").removesuffix("/studies")


def find_study(request: HttpRequest, study: str) -> Study:
    return _found(request, Study, study_instance_uid=study)


def find_series(request: HttpRequest, study: str, series: str) -> Series:
    return _found(
        request,
        Series,
        "study",
        series_instance_uid=series,
        study__study_instance_uid=study,
    )


def find_instance(request: HttpRequest, study: str, series: str, instance: str) -> Instance:
    return _found(
        request,
        Instance,
        "series__study",
        sop_instance_uid=instance,
        series__series_instance_uid=series,
        series__study__study_instance_uid=study,
    )


def _found(request: HttpRequest, model: type[M], *parents: str, **keys: str) -> M:
    """Raises Http404, and GoneError for what the user could see if it were not rejected."""
    rows = visible(request.user, model).filter(**keys)
    found = (rows.select_related(*parents) if parents else rows).first()
    if found is not None:
        return found
    kept: Any = model
    if visible_of(request.user, kept.everything.filter(**keys)).exists():
        raise GoneError
    raise Http404


def note(request: HttpRequest, study: Study) -> None:
    """Journal that the user opened a study; the cache only saves asking the journal again."""
    key = f"viewed-{request.user.pk}-{study.pk}"
    if cache.get(key):
        return
    note_viewing(study, origin=origin_of(request))
    cache.set(key, 1, ONCE_IN.total_seconds())
