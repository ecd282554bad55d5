"""Key images: marked by readers here, or by anybody elsewhere.

The documents are the truth (docs/decisions/0016-key-images.md): a change writes a new Key
Object Selection Document, and the one before it is rejected as superseded.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.dates import format_date, format_time
from apps.dicom.key_objects import (
    KEY_OBJECTS,
    TITLES,
    KeyObjects,
    Mark,
    Referenced,
    Selection,
    key_object_file,
    read_key_objects,
)
from apps.dicom.structured_report import person
from apps.dicom.uids import derived_uid, new_uid
from apps.studies.models import Instance, Rejection, Study
from apps.studies.services.outgoing import header_json
from apps.studies.services.recording import record_of_study
from apps.studies.services.rejecting import Target, reject
from apps.studies.services.storing import Demands, Outcome, store_instances
from apps.studies.spool import default_spool

MOST_MARKS = 500  # in one list
SERIES_NUMBER = 9500
ATTEMPTS = 10  # at a change while the user's other windows change the same list


class UnknownImageError(LookupError):
    """What is to be marked is no image of this study."""

    message = _("There is no such image in this study.")


class TooManyMarksError(ValueError):
    """Nobody looks at so many key images."""

    message = _("These are too many key images for one list.")


class NotKeptError(RuntimeError):
    """The list could not be stored; nothing was changed."""

    message = _("The key images could not be stored.")


@dataclass(frozen=True)
class KeyImage:
    """One marked image. `own`: by the user who asks, who may take the mark away again."""

    instance: Instance
    frame: int
    title: str
    author: str
    at: datetime
    own: bool

    @property
    def shown_frame(self) -> int:
        return self.frame or 1


@dataclass(frozen=True)
class _Document:
    instance: Instance
    said: KeyObjects


@dataclass(frozen=True)
class _Change:
    study: Study
    marked: Set[Mark]
    unmarked: Set[Mark]
    title: str
    user: User
    origin: Origin

    def lists(self) -> list[_Document]:
        """The user's own under the title, oldest first; usually one."""
        return [one for one in _own(self.study, self.user) if one.said.title == self.title]


def key_images(study: Study, *, user: Any) -> list[KeyImage]:
    """The key images of a study in the order of its series, whoever marked them."""
    documents = list(_documents(study))
    uids = {mark.sop_instance_uid for one in documents for mark in one.said.marks}
    images = _images(study, uids)
    own = series_of(study, user)
    found = [
        KeyImage(
            instance=images[mark.sop_instance_uid],
            frame=mark.frame,
            title=one.said.title,
            author=_author(one),
            at=one.instance.received_at,
            own=one.instance.series.series_instance_uid == own,
        )
        for one in documents
        for mark in one.said.marks
        if mark.sop_instance_uid in images
    ]
    return sorted(found, key=_place)


def change_key_images(
    study: Study,
    *,
    marked: Collection[Mark],
    unmarked: Collection[Mark],
    title: str,
    user: User,
    origin: Origin,
) -> None:
    """Add to the user's own key images of a study under one title, and take from them.

    Two windows of one user may do so at the same moment: both changes are kept. Raises
    UnknownImageError, TooManyMarksError, NotKeptError, KeyError for an unknown title.
    """
    change = _Change(study, set(marked), set(unmarked), title, user, origin)
    for attempt in range(ATTEMPTS):
        if _changed(change, again=attempt > 0):
            return
    raise NotKeptError(str(NotKeptError.message))


def _changed(change: _Change, *, again: bool) -> bool:
    """False where another change came before this one: it has to begin with that one's list.

    It begins with the oldest list: that one has been settled, or nothing keeps it from being.
    """
    before = change.lists()[:1]
    old = set(before[0].said.marks) if before else set()
    new = (old - change.unmarked) | change.marked
    images = _images(change.study, {mark.sop_instance_uid for mark in new})
    if not all(_is_there(mark, images) for mark in change.marked):
        raise UnknownImageError(str(UnknownImageError.message))
    if len(new) > MOST_MARKS:
        raise TooManyMarksError(str(TooManyMarksError.message))
    if new == old:
        if again:  # a change that began with our list was settled before it, and said its own only
            _note(change, (len(change.marked), len(change.unmarked)))
        return True
    kept = sorted(mark for mark in new if mark.sop_instance_uid in images)
    made = _stored(change, [_referenced(one, images) for one in kept]) if kept else ""
    return _settled(change, before, made, counts=(len(new - old), len(old - new)))


def _settled(
    change: _Change, before: Sequence[_Document], made: str, *, counts: tuple[int, int]
) -> bool:
    """Let the list `made` take the place of those before it, or withdraw it.

    It does where the one it began with is still the oldest; whoever made the others begins anew,
    or has died. Of lists made at the same moment the first wins, so that one of them always does.
    """
    with transaction.atomic():
        Study.everything.select_for_update().only("pk").get(pk=change.study.pk)
        now = change.lists()
        mine = [one for one in now if one.instance.sop_instance_uid == made]
        earlier = [one for one in now if not mine or one.instance.pk < mine[0].instance.pk]
        overtaken = [one.instance.pk for one in earlier[:1]] != [one.instance.pk for one in before]
        # Where it is gone, a change that was settled first has taken it over or put it aside.
        if overtaken or (made and not mine):
            _supersede(change, mine)
            return False
        _supersede(change, earlier)
        _note(change, counts)
    return True


def _note(change: _Change, counts: tuple[int, int]) -> None:
    marked, unmarked = counts
    record_of_study(
        Kind.KEY_IMAGES_CHANGED,
        change.study,
        origin=change.origin,
        details={"title": TITLES[change.title], "marked": marked, "unmarked": unmarked},
    )


def series_of(study: Study, user: User) -> str:
    """The Series Instance UID of a user's lists in a study: the same on every machine."""
    return derived_uid(f"key images of {user.get_username()} in {study.study_instance_uid}")


def _documents(study: Study) -> Iterator[_Document]:
    """Those that mark images; of lists made here under one title the oldest, which counts."""
    rows = Instance.objects.filter(series__study=study, sop_class_uid=KEY_OBJECTS)
    seen: set[tuple[int, str]] = set()
    for row in rows.select_related("series", "provenance").order_by("pk"):
        said = read_key_objects(header_json(row, lambda _path: ""))
        place = (row.series_id, said.title)
        is_ours = hasattr(row, "provenance")
        if said.title in TITLES and not (is_ours and place in seen):
            seen.add(place)
            yield _Document(row, said)


def _own(study: Study, user: User) -> list[_Document]:
    """The user's own lists, oldest first; several of one title until one of them is settled.

    Indexing holds the study's row: keys go up in the order of the commits.
    """
    rows = Instance.objects.filter(
        series__series_instance_uid=series_of(study, user), sop_class_uid=KEY_OBJECTS
    )
    return [
        _Document(row, read_key_objects(header_json(row, lambda _path: "")))
        for row in rows.select_related("series").order_by("pk")
    ]


def _images(study: Study, uids: Iterable[str]) -> dict[str, Instance]:
    """Those of some objects that are images of the study."""
    rows = Instance.objects.filter(series__study=study, sop_instance_uid__in=list(uids))
    rows = rows.exclude(rows=None).select_related("series")
    return {row.sop_instance_uid: row for row in rows.defer("header", "frame_table", "bulk_table")}


def _is_there(mark: Mark, images: dict[str, Instance]) -> bool:
    image = images.get(mark.sop_instance_uid)
    if image is None:
        return False
    # An image of one frame is named as a whole (PS3.3 table 10-3).
    return mark.frame == 0 or (image.frames > 1 and 0 < mark.frame <= image.frames)


def _author(one: _Document) -> str:
    made = getattr(one.instance, "provenance", None)
    return made.name if made else person(one.said.author)


def _place(one: KeyImage) -> tuple[int, int, int, int, str]:
    series = one.instance.series
    return series.number or 0, series.pk, one.instance.number or 0, one.frame, one.title


def _referenced(mark: Mark, images: dict[str, Instance]) -> Referenced:
    image = images[mark.sop_instance_uid]
    return Referenced(mark, image.sop_class_uid, image.series.series_instance_uid)


def _selection(study: Study, user: User, title: str, images: Sequence[Referenced]) -> Selection:
    uid = series_of(study, user)
    return Selection(
        about=_about(study),
        series_instance_uid=uid,
        sop_instance_uid=new_uid(),
        series_number=SERIES_NUMBER,
        number=Instance.everything.filter(series__series_instance_uid=uid).count() + 1,
        title=title,
        author=user.person_name,
        at=timezone.localtime(),
        images=images,
    )


def _about(study: Study) -> dict[str, Any]:
    """Patient and study as they are shown now (PS3.3 C.7.1.1, C.7.2.1)."""
    said = {
        "StudyDate": format_date(study.study_date),
        "StudyTime": format_time(study.study_time),
        "AccessionNumber": study.accession_number,
        "ReferringPhysicianName": study.referring_physician,
        "PatientName": study.patient_name,
        "PatientID": study.patient_identifier,
        "PatientBirthDate": study.patient_birth_date,
        "PatientSex": study.patient_sex,
        "StudyInstanceUID": study.study_instance_uid,
        "StudyID": study.study_id,
    }
    more = {
        "StudyDescription": study.description,
        "IssuerOfPatientID": study.patient_identifier_issuer,
    }
    return {**said, **{keyword: value for keyword, value in more.items() if value}}


def _stored(change: _Change, images: Sequence[Referenced]) -> str:
    """Store a list of these images; its SOP Instance UID."""
    selection = _selection(change.study, change.user, change.title, images)
    path = default_spool().write([key_object_file(selection)])
    demands = Demands(strict=True, promised=False, authored=True)
    (stored,) = store_instances([path], origin=change.origin, demands=demands)
    if stored.outcome is not Outcome.STORED:
        raise NotKeptError(str(NotKeptError.message))
    return selection.sop_instance_uid


def _supersede(change: _Change, lists: Iterable[_Document]) -> None:
    for one in lists:
        target = Target(change.study, series=one.instance.series, instance=one.instance)
        reject(
            target,
            code=Rejection.Code.SUPERSEDED,
            reason="A newer list of key images took its place",
            origin=change.origin,
        )
