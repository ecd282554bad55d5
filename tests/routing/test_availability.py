"""Devices are told of complete studies (Instance Availability Notification, PS3.4 annex R)."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from apps.audit.models import Event, Kind
from apps.routing.availability import AVAILABILITY_NOTIFICATION, notices
from apps.routing.models import Transfer
from apps.routing.sending import send_due
from apps.routing.services import change_destination, tell_availability
from apps.studies.models import Instance, Study
from apps.worklist.models import Device, PerformedStep
from tests.factories import DeviceFactory
from tests.routing.conftest import Complete, MakeStudy, make_due, the_transfer
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("threads_db")


class Manager:
    """A workflow manager that keeps what it is told and answers as a test wants."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Dataset]] = []
        self.status = 0x0000
        self.port = free_port()
        entity = AE(ae_title="RIS")
        entity.add_supported_context(AVAILABILITY_NOTIFICATION)
        self.server: Any = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_CREATE, self._keep)]
        )

    def _keep(self, event: Any) -> tuple[int, Dataset]:
        self.told.append((str(event.request.AffectedSOPInstanceUID), event.attribute_list))
        return self.status, Dataset()


@pytest.fixture
def manager() -> Iterator[Manager]:
    running = Manager()
    yield running
    running.server.shutdown()


@pytest.fixture
def wants(manager: Manager) -> Device:
    made: Device = DeviceFactory.create(ae_title="RIS", port=manager.port, wants_availability=True)
    return made


def tell(study: Study, complete: Complete, kind: Kind = Kind.STUDY_COMPLETE) -> None:
    tell_availability(complete(study, kind))
    send_due()


def listed(notice: Dataset) -> dict[str, list[str]]:
    return {
        str(one.SeriesInstanceUID): [
            str(i.ReferencedSOPInstanceUID) for i in one.ReferencedSOPSequence
        ]
        for one in notice.ReferencedSeriesSequence
    }


def step(study: Study, uid: str, series: list[str]) -> PerformedStep:
    return PerformedStep.objects.create(
        sop_instance_uid=uid,
        study_instance_uid=study.study_instance_uid,
        attributes={
            "00400340": {
                "vr": "SQ",
                "Value": [{"0020000E": {"vr": "UI", "Value": [one]}} for one in series],
            }
        },
    )


def test_a_complete_study_is_told_with_all_its_images(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    DeviceFactory.create(ae_title="OTHER")
    study = make_study(3)
    tell(study, complete)
    ((_uid, notice),) = manager.told
    assert notice.StudyInstanceUID == study.study_instance_uid
    assert list(notice.ReferencedPerformedProcedureStepSequence) == []
    images = Instance.objects.order_by("number", "id").values_list("sop_instance_uid", flat=True)
    assert list(listed(notice).values()) == [list(images)]
    item = notice.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert (item.InstanceAvailability, item.RetrieveAETitle) == ("ONLINE", "OPENPACS")
    assert item.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    told = Event.objects.get(kind=Kind.AVAILABILITY_TOLD)
    assert (told.peer, told.study_instance_uid) == ("RIS", study.study_instance_uid)
    assert the_transfer().status == "sent"


def test_a_notice_says_nothing_but_what_the_standard_lists(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    tell(make_study(), complete)
    ((_uid, notice),) = manager.told
    assert {element.keyword for element in notice} == {
        "ReferencedPerformedProcedureStepSequence",
        "StudyInstanceUID",
        "ReferencedSeriesSequence",
    }
    assert "Müller" not in str(notice)


def test_a_performed_step_is_named_with_the_series_it_made(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    study = make_study(2)
    make_study(1, StudyInstanceUID=study.study_instance_uid)
    first, second = study.series.order_by("id").values_list("series_instance_uid", flat=True)
    step(study, "2.25.900", [first])
    tell(study, complete)
    by_step = {}
    for _uid, notice in manager.told:
        steps = [
            (str(one.ReferencedSOPClassUID), str(one.ReferencedSOPInstanceUID))
            for one in notice.ReferencedPerformedProcedureStepSequence
        ]
        by_step[tuple(steps)] = list(listed(notice))
    assert by_step == {
        (("1.2.840.10008.3.1.2.3.3", "2.25.900"),): [first],
        (): [second],
    }


def test_late_images_are_told_of_again(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    study = make_study(1)
    tell(study, complete)
    make_study(1, StudyInstanceUID=study.study_instance_uid)
    tell(study, complete, Kind.STUDY_EXTENDED)
    (first, early), (second, late) = manager.told
    assert first != second
    assert [sum(map(len, listed(one).values())) for one in (early, late)] == [1, 2]


def test_a_manager_that_is_down_is_told_when_it_is_back_under_the_same_uid(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    manager.status = 0x0110
    tell(make_study(), complete)
    row = the_transfer()
    assert (row.status, row.attempts) == ("waiting", 1)
    assert row.last_error == "The notice was refused: it could not process this (0x0110)."
    manager.status = 0x0111  # it had kept the first one after all
    make_due()
    send_due()
    (first, _), (second, _) = manager.told
    assert first == second
    assert the_transfer().status == "sent"


def test_a_notice_that_is_not_understood_is_given_up_at_once(
    make_study: MakeStudy, complete: Complete, manager: Manager, wants: Device
) -> None:
    manager.status = 0x0106
    tell(make_study(), complete)
    assert (the_transfer().status, the_transfer().attempts) == ("failed", 1)
    failed = Event.objects.get(kind=Kind.STUDY_SENDING_FAILED)
    assert failed.details["content"] == "availability"


def test_an_event_tells_a_device_once(
    make_study: MakeStudy, complete: Complete, wants: Device
) -> None:
    event = complete(make_study())
    assert len(tell_availability(event)) == 1
    assert tell_availability(event) == []


def test_another_manager_is_told_under_another_uid(
    make_study: MakeStudy, complete: Complete, wants: Device, origin: Any
) -> None:
    study = make_study()
    (row,) = tell_availability(complete(study))
    other = DeviceFactory.create(ae_title="RIS2", wants_availability=True)
    changed = change_destination(row, destination=other, origin=origin)
    assert Transfer.objects.get().destination == other
    assert notices(study, key=row.key)[0][0] != notices(study, key=changed.key)[0][0]
