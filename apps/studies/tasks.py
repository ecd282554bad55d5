"""Ingest and settling in the background. The spool is the queue; a task is a nudge."""

import logging
import threading
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.audit.models import Event
from apps.audit.services import SYSTEM, Origin
from apps.studies.models import Series, Study, Upload
from apps.studies.services import (
    drop_old_uploads,
    follow_patient,
    settle_study,
    store_instances,
    take_in,
    write_sidecar,
)
from apps.studies.services.caching import trim_cache
from apps.studies.services.forms import typical_instance
from apps.studies.services.regularising import make_due
from apps.studies.services.rendering import prepare_thumbnail
from apps.studies.spool import Spool, default_spool

log = logging.getLogger(__name__)

INGEST = Origin(protocol="ingest")
BATCH = 200
STREAM = 10  # files in a batch after which more are expected
GATHER_SECONDS = 0.1  # how long they may gather, unless somebody tells of some
OVERDUE_SECONDS = 3  # younger files have a nudge under way


@shared_task
def ingest(names: list[str]) -> None:
    """Index these spool files; names that are gone were done by somebody else."""
    incoming = default_spool().incoming
    lane.ingest(incoming / Path(name).name for name in names)


def warm_up() -> None:
    """Load what the first nudge needs, or a sender waits for that; connects to nothing."""
    _ = ingest.app.amqp.producer_pool, ingest.app.connection_for_write().transport


def nudge(names: list[str]) -> None:
    """Have files indexed soon. Without a broker the sweep does it a little later.

    Raises nothing: the files are durable, and whoever stored them was told so.
    """
    try:
        ingest.delay(names)
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): %d files wait for the sweep", type(error).__name__, len(names))


@shared_task
def ingest_spool() -> None:
    """Index files whose nudge was lost, one sweep at a time."""
    spool = default_spool()
    spool.sweep_abandoned()
    with spool.sweeping() as alone:
        waiting = _overdue(spool.waiting()) if alone else []
    lane.ingest(waiting)


@shared_task
def settle_quiet_studies() -> None:
    """Complete the studies for which nothing has come for OPENPACS_STUDY_QUIET_SECONDS."""
    quiet_since = timezone.now() - timedelta(seconds=settings.OPENPACS_STUDY_QUIET_SECONDS)
    receiving = Study.objects.filter(status="receiving", last_instance_at__lte=quiet_since)
    for study in receiving.order_by("last_instance_at")[:500]:
        settle_study(study, origin=SYSTEM)


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=8)
def keep_overlay(event_id: int) -> None:
    """Write down beside the files what is laid over a study, after it changed."""
    write_sidecar(Event.objects.get(pk=event_id).study_instance_uid)


@shared_task
def make_thumbnails(event_id: int) -> None:
    """Have the thumbnails of a study ready before a page asks for them."""
    uid = Event.objects.get(pk=event_id).study_instance_uid
    for series in Series.objects.filter(study__study_instance_uid=uid).select_related("study"):
        if instance := typical_instance(series):
            prepare_thumbnail(instance)


@shared_task
def make_regular_series() -> None:
    """Make the regular series that wait, and those whose worker died."""
    make_due()


@shared_task
def trim_thumbnails() -> None:
    """Keep what is kept of thumbnails within OPENPACS_CACHE_BYTES."""
    if gone := trim_cache(settings.OPENPACS_CACHE_BYTES):
        log.info("Deleted %d old thumbnails", gone)


@shared_task
def follow_patients(event_id: int) -> None:
    """Show the studies of a patient as the record says since it was updated."""
    patient = Event.objects.get(pk=event_id).patient_id
    for study in Study.objects.filter(patient=patient, match=Study.Match.MATCHED):
        follow_patient(study, origin=SYSTEM)


@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=8)
def take_in_upload(key: str) -> None:
    """Store what a user has uploaded."""
    for upload in Upload.objects.filter(key=key).select_related("user", "procedure__order"):
        user = upload.user
        take_in(upload, origin=Origin(protocol="web", peer=user.username, user=user))


@shared_task
def take_in_waiting_uploads() -> None:
    """Uploads whose nudge was lost; forget those of yesterday."""
    drop_old_uploads()
    for key in Upload.objects.filter(state="received").values_list("key", flat=True)[:100]:
        take_in_upload.delay(key)


def nudge_upload(key: str) -> None:
    """Have an upload stored soon; without a broker the sweep does it a little later."""
    try:
        take_in_upload.delay(key)
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): an upload waits for the sweep", type(error).__name__)


class Lane:
    """One batch at a time in this process, made of all that waits.

    Threads that index side by side wait for one another in the database; files that come
    meanwhile rather make the next batch larger, and each of them cheaper. While images
    stream in, those that nobody was told of yet are taken along.
    """

    def __init__(self) -> None:
        # Each once: a storage that is away for a night has them told again all the time.
        self._waiting: dict[Path, None] = {}
        self._changing = threading.Lock()
        self._busy = threading.Lock()
        self._told = threading.Event()

    def ingest(self, paths: Iterable[Path]) -> None:
        """Index files, here or by the thread that is at it; raises what storing raises."""
        self._add(paths)
        self._told.set()
        while self._waiting and self._busy.acquire(blocking=False):
            try:
                self._drain(default_spool())
            finally:
                self._busy.release()

    def _drain(self, spool: Spool) -> None:
        with spool.sweeping() as alone:
            while self._waiting:
                self._told.clear()
                taken = self._take_batch()
                if alone and taken >= STREAM and not self._waiting:
                    self._told.wait(GATHER_SECONDS)
                    self._add(spool.waiting())

    def _add(self, paths: Iterable[Path]) -> None:
        with self._changing:
            self._waiting.update(dict.fromkeys(paths))

    def _take_batch(self) -> int:
        with self._changing:
            taken = list(islice(self._waiting, BATCH))
            for path in taken:
                del self._waiting[path]
        stored = store_instances(taken, origin=INGEST)
        present = sum(not one.is_gone for one in stored)
        if present:
            log.info("Ingested %d files", present)
        return present


lane = Lane()


def _overdue(paths: list[Path]) -> list[Path]:
    limit = timezone.now().timestamp() - OVERDUE_SECONDS
    return [path for path in paths if _age(path) <= limit]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
