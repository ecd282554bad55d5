"""Finding what an address names among what the user may see; anything else is a 404."""

from django.core.cache import cache
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.studies.models import Instance, Series, Study
from apps.studies.services import note_viewing
from apps.studies.services.viewing import ONCE_IN


def root() -> str:
    """The path of the service: addresses in answers are path-absolute, whatever the host."""
    return reverse("dicomweb:studies").removesuffix("/studies")


def find_study(request: HttpRequest, study: str) -> Study:
    return get_object_or_404(visible(request.user, Study), study_instance_uid=study)


def find_series(request: HttpRequest, study: str, series: str) -> Series:
    rows = visible(request.user, Series).select_related("study")
    return get_object_or_404(rows, series_instance_uid=series, study__study_instance_uid=study)


def find_instance(request: HttpRequest, study: str, series: str, instance: str) -> Instance:
    rows = visible(request.user, Instance).select_related("series__study")
    return get_object_or_404(
        rows,
        sop_instance_uid=instance,
        series__series_instance_uid=series,
        series__study__study_instance_uid=study,
    )


def note(request: HttpRequest, study: Study) -> None:
    """Journal that the user opened a study; the cache only saves asking the journal again."""
    key = f"viewed-{request.user.pk}-{study.pk}"
    if cache.get(key):
        return
    note_viewing(study, origin=origin_of(request))
    cache.set(key, 1, ONCE_IN.total_seconds())
