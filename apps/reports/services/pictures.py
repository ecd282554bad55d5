"""Pictures of the viewer in a report: put in, described, put in order, taken out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import visible
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.reports.models import Report, ReportPicture
from apps.reports.querysets import RELEASED
from apps.reports.services.claims import give_to
from apps.reports.services.refusals import ForeignImage, TooManyPictures
from apps.reports.services.rows import check_open, check_owner, lock, record, writer_of
from apps.studies.models import Instance, Series, Study
from apps.studies.services.screen_pictures import clean_picture

MOST_PICTURES = 12  # of one report


@dataclass(frozen=True, kw_only=True)
class ShownImage:
    """What a picture shows; a slice through a volume has no instance, but a series."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    frame: int | None = None


def open_report_for(user: User, uids: Iterable[str]) -> Report | None:
    """The report that is to be written of the first of these studies that has one."""
    rows: Any = visible(user, Report)
    studies = visible(user, Study).in_bulk(list(uids), field_name="study_instance_uid")
    found = rows.exclude(status__in=[*RELEASED, Report.Status.CANCELLED]).of_studies(
        one.pk for one in studies.values()
    )
    keys = (studies[uid].pk for uid in uids if uid in studies)
    return next((found[key] for key in keys if key in found), None)


def add_picture(
    report: Report, *, content: bytes, caption: str, shown: ShownImage, origin: Origin
) -> ReportPicture:
    """Put a picture at the end of a draft; an unclaimed report becomes the writer's.

    `content` is a JPEG or PNG as a browser made it, kept as written anew. Raises
    PictureRefused and BusyError for what it is, ForeignImage for what it shows,
    TooManyPictures, ClaimedByAnother, AlreadyFinal, NotAllowed.
    """
    writer = writer_of(report, origin)
    _check_shown(shown, report, writer)
    made = clean_picture(content)
    with transaction.atomic():
        current = _writable(report, writer)
        places = list(current.pictures.values_list("place", flat=True))
        if len(places) >= MOST_PICTURES:
            said = _("A report has %(most)d pictures at most.") % {"most": MOST_PICTURES}
            raise TooManyPictures(said)
        give_to(current, writer)
        current.save()
        picture = ReportPicture.objects.create(
            report=current,
            place=max(places, default=0) + 1,
            picture=made.content,
            media_type=made.media_type,
            width=made.width,
            height=made.height,
            sha256=made.sha256,
            caption=caption,
            added_by=writer,
            **asdict(shown),
        )
        _record(Kind.REPORT_PICTURE_ADDED, picture, origin, **asdict(shown))
    return picture


def describe_picture(picture: ReportPicture, *, caption: str, origin: Origin) -> None:
    """Another caption; raises as `add_picture` does."""
    writer = writer_of(picture.report, origin)
    with transaction.atomic():
        _writable(picture.report, writer)
        picture.caption = caption
        picture.save(update_fields=["caption"])
        _record(Kind.REPORT_PICTURE_CHANGED, picture, origin, changed="caption")


def move_picture_up(picture: ReportPicture, *, origin: Origin) -> None:
    """Change places with the picture before; the first one stays where it is."""
    writer = writer_of(picture.report, origin)
    with transaction.atomic():
        current = _writable(picture.report, writer)
        before = current.pictures.without_bytes().filter(place__lt=picture.place).last()
        if before is None:
            return
        before.place, picture.place = picture.place, before.place
        ReportPicture.objects.bulk_update([before, picture], ["place"])
        _record(Kind.REPORT_PICTURE_CHANGED, picture, origin, changed="place")


def remove_picture(picture: ReportPicture, *, origin: Origin) -> None:
    """Take a picture out of a draft; versions signed before keep it."""
    writer = writer_of(picture.report, origin)
    with transaction.atomic():
        _writable(picture.report, writer)
        _record(Kind.REPORT_PICTURE_REMOVED, picture, origin)
        picture.delete()


def _writable(report: Report, writer: User) -> Report:
    current = lock(report)
    check_open(current)
    check_owner(current, writer)
    return current


def _check_shown(shown: ShownImage, report: Report, writer: User) -> None:
    """The image is one of the patient's, and the writer may see it."""
    studies = visible(writer, Study).filter(patient=report.order.patient_id)
    study = studies.filter(study_instance_uid=shown.study_instance_uid).first()
    if study is None:
        raise ForeignImage(_("This image is not of the patient of the report."))
    series = Series.objects.filter(study=study)
    images = Instance.objects.filter(series__study=study)
    if shown.series_instance_uid:
        series = series.filter(series_instance_uid=shown.series_instance_uid)
        images = images.filter(series__series_instance_uid=shown.series_instance_uid)
    if shown.sop_instance_uid:
        images = images.filter(sop_instance_uid=shown.sop_instance_uid)
    wanted = images if shown.sop_instance_uid else series
    if (shown.sop_instance_uid or shown.series_instance_uid) and not wanted.exists():
        raise ForeignImage(_("This image is not part of the study."))


def _record(kind: Kind, picture: ReportPicture, origin: Origin, **details: Any) -> None:
    told = {"picture": picture.pk, "sha256": picture.sha256, **details}
    record(kind, picture.report, origin=origin, details=told)
