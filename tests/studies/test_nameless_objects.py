"""Objects without Study or Series Instance UID: they leave under those they are listed under."""

import hashlib
from io import BytesIO

import pytest
from pydicom import dcmread

from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.studies.models import Correction, Instance, Study
from apps.studies.services import (
    UndoneAlreadyError,
    correct_study,
    header_json,
    outgoing_file,
    store_instances,
    undo_correction,
)
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db


def assert_leaves_as_listed(row: Instance) -> None:
    """In the file, in what is sent to other archives, in the metadata."""
    series = row.series
    listed = [series.study.study_instance_uid, series.series_instance_uid]
    sent = dcmread(BytesIO(b"".join(outgoing_file(row)[1]())))
    assert [sent.StudyInstanceUID, sent.SeriesInstanceUID] == listed
    told = header_json(row, lambda _path: "")
    assert [told[tag]["Value"][0] for tag in ("0020000D", "0020000E")] == listed


def test_an_object_without_a_study_gets_one_of_its_own(spool: Spool, origin: Origin) -> None:
    image = ct_image(StudyInstanceUID=None)
    del image.SeriesInstanceUID
    store_instances([spool.write([part10(image)])], origin=origin)
    row = Instance.objects.get()
    assert Study.objects.get().study_instance_uid.startswith("2.25.")
    assert_leaves_as_listed(row)
    assert row.sha256 == hashlib.sha256(part10(image)).hexdigest()


def test_an_object_without_a_series_is_named_that_alone(spool: Spool, origin: Origin) -> None:
    whole, odd = ct_image(), ct_image(SeriesInstanceUID=None)
    odd.StudyInstanceUID = whole.StudyInstanceUID
    store_instances([spool.write([part10(one)]) for one in (whole, odd)], origin=origin)
    row = Instance.objects.get(sop_instance_uid=odd.SOPInstanceUID)
    assert_leaves_as_listed(row)
    assert Instance.objects.get(sop_instance_uid=whole.SOPInstanceUID).overlay == 0
    (made,) = Correction.objects.all()
    with pytest.raises(UndoneAlreadyError):
        undo_correction(made, origin=origin)


def test_the_uid_stays_when_another_correction_is_undone(spool: Spool, origin: Origin) -> None:
    store_instances([spool.write([part10(ct_image(StudyInstanceUID=None))])], origin=origin)
    study = Study.objects.get()
    change = Change("00081030", "LO", ["Abdomen"])
    (made,) = correct_study(
        study,
        changes=[change],
        reason="typed",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    assert_leaves_as_listed(Instance.objects.get())
    undo_correction(made, origin=origin)
    assert_leaves_as_listed(Instance.objects.get())
