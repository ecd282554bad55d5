"""Metadata of series, made before somebody asks for them."""

import logging

from celery import shared_task
from django.urls import reverse

from apps.audit.models import Event
from apps.dicomweb.metadata import is_kept, keep_metadata
from apps.studies.models import Series, Study

log = logging.getLogger(__name__)


@shared_task
def keep_study_metadata(event_id: int) -> None:
    """A study is complete, or was corrected: make anew what changed in it."""
    uid = Event.objects.get(pk=event_id).study_instance_uid
    for row in Series.objects.filter(study__study_instance_uid=uid).select_related("study"):
        _keep(row)


@shared_task
def keep_series_metadata(series_id: int) -> None:
    """Somebody asked for metadata that are not kept."""
    for row in Series.objects.filter(pk=series_id).select_related("study"):
        _keep(row)


def order_metadata(series: Series) -> None:
    """Have the metadata of a series kept soon, unless images still come for it.

    Raises nothing: they are made again for the next who asks.
    """
    if series.study.status == Study.Status.RECEIVING:
        return
    try:
        keep_series_metadata.delay(series.pk)
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): metadata are not kept", type(error).__name__)


def _keep(series: Series) -> None:
    if not is_kept(series):
        keep_metadata(series, reverse("dicomweb:studies").removesuffix("/studies"))
