"""Marking images as key images: what is stored of it, and what others see."""

from typing import Any

import pytest
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.audit.models import Event
from apps.audit.services import Origin
from apps.dicom.key_objects import KEY_OBJECTS, OF_INTEREST, Mark, key_object_file
from apps.studies.models import Instance, Provenance, Rejection, Series, Study
from apps.studies.services import (
    TooManyMarksError,
    UnknownImageError,
    change_key_images,
    key_images,
    marking,
    rebuild_index,
    store_instances,
    write_sidecar,
)
from apps.studies.services.marking import MOST_MARKS
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.dicom.test_key_objects import selection
from tests.factories import make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def images(spool: Spool, origin: Origin) -> list[Dataset]:
    """Three images of one series."""
    first = ct_image()
    same = {
        "StudyInstanceUID": first.StudyInstanceUID,
        "SeriesInstanceUID": first.SeriesInstanceUID,
    }
    made = [first, ct_image(InstanceNumber=2, **same), ct_image(InstanceNumber=3, **same)]
    store_instances([spool.write([part10(one)]) for one in made], origin=origin)
    return made


@pytest.fixture
def reader(db: None) -> User:
    return make_user("radiologist", username="reader")


def change(reader: User, marked: Any = (), unmarked: Any = (), title: str = OF_INTEREST) -> None:
    origin = Origin(protocol="test", peer=reader.username, address="10.0.0.7", user=reader)
    change_key_images(
        Study.objects.get(),
        marked=marked,
        unmarked=unmarked,
        title=title,
        user=reader,
        origin=origin,
    )


def mark(one: Dataset, frame: int = 0) -> Mark:
    return Mark(one.SOPInstanceUID, frame)


def marked(user: Any) -> list[tuple[str, str, bool]]:
    found = key_images(Study.objects.get(), user=user)
    return [(one.instance.sop_instance_uid, one.title, one.own) for one in found]


def documents() -> Any:
    return Instance.objects.filter(sop_class_uid=KEY_OBJECTS)


def test_a_marked_image_is_a_document_of_the_study(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[1])])
    assert marked(reader) == [(images[1].SOPInstanceUID, OF_INTEREST, True)]
    series = documents().get().series
    assert (series.modality, series.study) == ("KO", Study.objects.get())
    event = Event.objects.get(kind="key-images-changed")
    assert event.details == {"title": "Of Interest", "marked": 1, "unmarked": 0}
    assert (event.user, event.address) == (reader, "10.0.0.7")


def test_a_newer_list_takes_the_place_of_the_older_one(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[0])])
    change(reader, [mark(images[2])])
    assert [uid for uid, *_ in marked(reader)] == [
        images[0].SOPInstanceUID,
        images[2].SOPInstanceUID,
    ]
    assert documents().count() == Series.objects.filter(modality="KO").count() == 1
    assert Rejection.objects.get().code == Rejection.Code.SUPERSEDED
    assert not Rejection.objects.by_people().exists()
    assert Study.objects.get().instance_count == 4


@pytest.mark.django_db(transaction=True)
def test_stars_of_one_user_in_several_windows_are_all_kept(
    images: list[Dataset], reader: User
) -> None:
    at_once(lambda one: change(reader, [mark(one)]), images)
    assert [uid for uid, *_ in marked(reader)] == [one.SOPInstanceUID for one in images]
    assert documents().count() == 1
    assert Event.objects.filter(kind="key-images-changed").count() == 3


def test_stars_that_overtake_one_another_are_all_kept_and_journalled(
    images: list[Dataset], reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list is stored while the one before it is not settled yet; the last settles first."""
    settled, waiting = marking._settled, [mark(one) for one in images[1:]]

    def overtaken(*given: Any, **named: Any) -> bool:
        if waiting:
            change(reader, [waiting.pop(0)])
        return settled(*given, **named)

    monkeypatch.setattr(marking, "_settled", overtaken)
    change(reader, [mark(images[0])])
    assert [uid for uid, *_ in marked(reader)] == [one.SOPInstanceUID for one in images]
    assert documents().count() == 1
    told = Event.objects.filter(kind="key-images-changed")
    assert [one.details["marked"] for one in told] == [1, 1, 1]


def died(*_given: Any, **_named: Any) -> bool:
    raise SystemExit


def test_a_list_whose_maker_died_is_in_nobodys_way(
    images: list[Dataset], reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(reader, [mark(images[0])])
    with monkeypatch.context() as patch:
        patch.setattr(marking, "_settled", died)
        with pytest.raises(SystemExit):
            change(reader, [mark(images[1])])
    assert [uid for uid, *_ in marked(reader)] == [images[0].SOPInstanceUID]
    change(reader, [mark(images[2])])
    assert [uid for uid, *_ in marked(reader)] == [
        images[0].SOPInstanceUID,
        images[2].SOPInstanceUID,
    ]
    assert documents().count() == 1


def test_what_was_marked_before_changes_nothing(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[0])])
    change(reader, [mark(images[0])])
    change(reader, unmarked=[mark(images[1])])
    assert Instance.everything.filter(sop_class_uid=KEY_OBJECTS).count() == 1
    assert Event.objects.filter(kind="key-images-changed").count() == 1


def test_without_a_last_mark_there_is_no_document(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[0])])
    change(reader, unmarked=[mark(images[0])])
    assert marked(reader) == []
    assert not documents().exists()
    assert "KO" not in Study.objects.get().modality_list
    change(reader, [mark(images[2])])
    assert [uid for uid, *_ in marked(reader)] == [images[2].SOPInstanceUID]


def test_each_title_is_a_list_of_its_own(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[0])])
    change(reader, [mark(images[0])], title="113004")
    assert [title for _, title, _ in marked(reader)] == [OF_INTEREST, "113004"]
    assert Series.objects.filter(modality="KO").count() == 1
    change(reader, unmarked=[mark(images[0])])
    assert [title for _, title, _ in marked(reader)] == ["113004"]


def test_nobody_changes_what_another_marked(images: list[Dataset], reader: User) -> None:
    other = make_user("resident", username="other")
    change(reader, [mark(images[0])])
    change(other, [mark(images[1])], [mark(images[0])])
    assert [own for *_, own in marked(other)] == [False, True]
    assert Series.objects.filter(modality="KO").count() == 2


def test_a_document_from_elsewhere_is_shown(
    images: list[Dataset], reader: User, spool: Spool, origin: Origin
) -> None:
    study = Study.objects.get()
    about = {"StudyInstanceUID": study.study_instance_uid, "PatientID": study.patient_identifier}
    foreign = selection(mark(images[2]), Mark("2.25.404"), about=about)
    store_instances([spool.write([key_object_file(foreign)])], origin=origin)
    (found,) = key_images(study, user=reader)
    assert (found.title, found.author, found.own) == ("113004", "Röntgen Wilhelm", False)


def test_only_images_of_the_study_can_be_marked(images: list[Dataset], reader: User) -> None:
    change(reader, [mark(images[0])])
    for stranger in (
        Mark("2.25.404"),
        Mark(documents().get().sop_instance_uid),
        mark(images[0], 1),
    ):
        with pytest.raises(UnknownImageError):
            change(reader, [stranger])


def test_a_list_has_an_end(
    images: list[Dataset], reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_MARKS >= 100
    monkeypatch.setattr("apps.studies.services.marking.MOST_MARKS", 1)
    with pytest.raises(TooManyMarksError):
        change(reader, [mark(images[0]), mark(images[1])])
    assert not documents().exists()


def test_marks_and_their_authors_survive_a_new_index(
    images: list[Dataset], reader: User, origin: Origin
) -> None:
    change(reader, [mark(images[0])])
    change(reader, [mark(images[1])])
    uid = Study.objects.get().study_instance_uid
    write_sidecar(uid)
    before = marked(reader)
    Rejection.objects.update(series=None, instance=None)
    Instance.everything.update(rejection=None)
    Series.everything.update(rejection=None)
    Study.everything.all().delete()
    rebuild_index(origin=origin)
    assert marked(reader) == before
    made = Provenance.objects.filter(instance__rejection=None).get()
    assert (made.user, made.name, made.address) == (reader, str(reader), "10.0.0.7")
