"""Two objects with one UID: both are kept, and a person decides."""

import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Conflict, Correction, Instance
from apps.studies.services import (
    Outcome,
    SettledAlreadyError,
    correct_study,
    drop_newcomer,
    outgoing_file,
    store_instances,
    store_newcomer,
)
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.studies.test_correct import sent, stored

pytestmark = pytest.mark.django_db

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]


def keep(spool: Spool, origin: Origin, data: bytes) -> Outcome:
    (result,) = store_instances([spool.write([data])], origin=origin)
    return result.outcome


def conflict_between(spool: Spool, origin: Origin, image: Dataset, **how: str) -> Conflict:
    """The image as it is, then with other pixels."""
    assert keep(spool, origin, part10(image, **how)) is Outcome.STORED
    image.PixelData = bytes(range(48))
    assert keep(spool, origin, part10(image, **how)) is Outcome.CONFLICT
    return Conflict.objects.get()


def test_the_newcomer_is_listed_beside_the_first_one(spool: Spool, origin: Origin) -> None:
    conflict = conflict_between(spool, origin, ct_image())
    instance = Instance.objects.get()
    assert (conflict.instance, conflict.state) == (instance, Conflict.State.OPEN)
    assert (conflict.source, conflict.sha256 != instance.sha256) == ("CT1", True)
    event = Event.objects.get(kind="conflict-found")
    assert event.details["sop_instance_uid"] == instance.sop_instance_uid


def test_the_same_newcomer_again_is_listed_once(spool: Spool, origin: Origin) -> None:
    image = ct_image()
    conflict_between(spool, origin, image)
    assert keep(spool, origin, part10(image)) is Outcome.CONFLICT
    assert Conflict.objects.count() == 1
    assert Event.objects.filter(kind="conflict-found").count() == 1


def test_the_first_one_is_kept_and_the_file_of_the_newcomer_too(
    spool: Spool, origin: Origin
) -> None:
    conflict = conflict_between(spool, origin, ct_image())
    drop_newcomer(conflict, reason="sent twice", origin=origin)
    conflict.refresh_from_db()
    assert (conflict.state, conflict.decision) == (Conflict.State.DROPPED, "sent twice")
    assert len(stored(Instance(file_name=conflict.file_name))) == conflict.size
    with pytest.raises(SettledAlreadyError):
        store_newcomer(conflict, reason="after all", origin=origin)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_newcomer_is_stored_under_a_uid_of_its_own(
    syntax: str, spool: Spool, origin: Origin
) -> None:
    conflict = conflict_between(spool, origin, ct_image(), syntax=syntax)
    store_newcomer(conflict, reason="both are good", origin=origin)
    conflict.refresh_from_db()
    first, second = Instance.objects.order_by("id")
    assert conflict.stored_as == second.sop_instance_uid
    assert first.series == second.series
    found = dcmread(DicomBytesIO(stored(second)))
    assert found.SOPInstanceUID == found.file_meta.MediaStorageSOPInstanceUID
    assert found.PixelData == bytes(range(48))
    item = found.OriginalAttributesSequence[0]
    assert item.ModifiedAttributesSequence[0].SOPInstanceUID == first.sop_instance_uid
    assert Event.objects.filter(kind="conflict-settled").count() == 1


def test_an_object_whose_series_is_elsewhere_gets_a_series_of_its_own(
    spool: Spool, origin: Origin
) -> None:
    image = ct_image()
    stray = ct_image(SeriesInstanceUID=image.SeriesInstanceUID)
    keep(spool, origin, part10(image))
    assert keep(spool, origin, part10(stray)) is Outcome.CONFLICT
    store_newcomer(Conflict.objects.get(), reason="another exam", origin=origin)
    second = Instance.objects.latest("id")
    assert second.series.study.study_instance_uid == stray.StudyInstanceUID
    assert second.series.series_instance_uid != image.SeriesInstanceUID


def test_a_corrected_object_that_comes_back_is_no_conflict(spool: Spool, origin: Origin) -> None:
    image = ct_image()
    keep(spool, origin, part10(image))
    instance = Instance.objects.get()
    correct_study(
        instance.series.study,
        changes=[Change("00100020", "LO", ["H1"])],
        reason="typed wrong",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    instance.refresh_from_db()
    data = b"".join(outgoing_file(instance)[1]())
    assert keep(spool, origin, data) is Outcome.DUPLICATE
    assert keep(spool, origin, part10(image)) is Outcome.DUPLICATE
    assert not Conflict.objects.exists()
    assert sent(instance).PatientID == "H1"
