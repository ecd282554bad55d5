"""Orthanc and we ask one another: storage commitment, query, retrieve."""

import pytest

from apps.audit.services import SYSTEM
from apps.dimse.models import CommitmentInquiry, CommitmentRequest
from apps.dimse.services import (
    Wanted,
    ask_commitment,
    committed_elsewhere,
    find_remote_studies,
    request_retrieval,
)
from apps.dimse.tasks import ask_for_commitment, retrieve
from apps.studies.models import Instance, Study
from apps.worklist.models import Device
from tests.dimse.conftest import ct_image, keep
from tests.dimse.orthanc import Orthanc
from tests.factories import DeviceFactory
from tests.waiting import wait_for

pytestmark = pytest.mark.peer("Orthanc")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def far(orthanc: Orthanc) -> Device:
    made: Device = DeviceFactory.create(
        ae_title="ORTHANC", host="127.0.0.1", port=orthanc.port, may_commit=True
    )
    return made


def ask_us(orthanc: Orthanc, *uids: str) -> str:
    instances = [{"SOPClassUID": CT, "SOPInstanceUID": uid} for uid in uids]
    asked = orthanc.call("/modalities/openpacs/storage-commitment", {"DicomInstances": instances})
    return str(asked["ID"])


@pytest.mark.parametrize(
    ("asked", "status"), [(["2.25.1"], "Success"), (["2.25.1", "2.25.404"], "Failure")]
)
def test_it_is_told_what_is_safe_here(
    orthanc: Orthanc, far: Device, asked: list[str], status: str
) -> None:
    keep("2.25.1")
    path = f"/storage-commitment/{ask_us(orthanc, *asked)}"
    wait_for(lambda: orthanc.call(path)["Status"] == status)
    told = orthanc.call(path)
    assert [one["SOPInstanceUID"] for one in told["Success"]] == ["2.25.1"]
    if status == "Failure":
        (failed,) = told["Failures"]
        assert (failed["SOPInstanceUID"], failed["FailureReason"]) == ("2.25.404", 0x0112)
    wait_for(lambda: CommitmentRequest.objects.get().status == "told")


def test_it_tells_us_what_is_safe_there(orthanc: Orthanc, far: Device) -> None:
    keep("2.25.1", "2.25.2")
    study = Study.objects.get()
    orthanc.keep(ct_image("2.25.1"))
    first = ask(far)
    wait_for(lambda: CommitmentInquiry.objects.get(pk=first).status == "failed")
    assert not committed_elsewhere(study)
    orthanc.keep(ct_image("2.25.2"))
    second = ask(far)
    wait_for(lambda: CommitmentInquiry.objects.get(pk=second).status == "confirmed")
    assert committed_elsewhere(study)


def ask(far: Device) -> int:
    (row,) = ask_commitment(far, Instance.objects.all(), origin=SYSTEM)
    ask_for_commitment(row.pk)
    return row.pk


@pytest.mark.parametrize("by_get", [False, True])
def test_a_study_of_it_is_found_with_its_counts_and_fetched(
    orthanc: Orthanc, far: Device, by_get: bool
) -> None:
    orthanc.keep(ct_image("2.25.1"))
    orthanc.keep(ct_image("2.25.2", series="2.25.9"))
    Device.objects.filter(pk=far.pk).update(retrieve_by_get=by_get)
    (one,) = find_remote_studies(far, Wanted(patient_name="phantom"), origin=SYSTEM).rows
    assert (one.modalities, one.series_count, one.instance_count) == (["CT"], 2, 2)
    row = request_retrieval(far, one.study_instance_uid, origin=SYSTEM)
    retrieve(row.pk)
    row.refresh_from_db()
    assert (row.status, row.completed, row.error) == ("done", 2, "")
    wait_for(lambda: Instance.objects.count() == 2)
