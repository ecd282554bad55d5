"""The queue of transfers: who is next, who waits, who has lost it, and what people decide."""

import datetime
import uuid

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.leasing import Claim, ClaimLost
from apps.audit.models import Event, Kind
from apps.audit.retrying import LONGEST_WAIT
from apps.audit.services import Origin
from apps.dimse.suboperations import Result, Unanswered
from apps.routing.answers import arrived, never, plain
from apps.routing.models import Priority, Transfer, TransferItem
from apps.routing.sending import Progress
from apps.routing.services import (
    SendingRefused,
    ask_to_send,
    change_destination,
    claim_next,
    drop,
    send_again,
)
from apps.routing.services.working import (
    LEASE,
    forget_old_answers,
    note_answers,
    note_done,
    note_not_done,
    renew,
    unsent,
)
from apps.studies.models import Instance, Study
from apps.worklist.models import Device
from tests.factories import DeviceFactory
from tests.routing.conftest import MakeStudy, queued, the_transfer

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study(2)


@pytest.fixture
def archive(db: None) -> Device:
    made: Device = DeviceFactory.create(name="Archive", ae_title="ARCHIVE", may_receive=True)
    return made


def taken() -> Claim[Transfer]:
    claim = claim_next()
    assert claim is not None
    return claim


def after(wait: datetime.timedelta) -> time_machine.travel:
    return time_machine.travel(timezone.now() + wait, tick=True)


@pytest.mark.parametrize(
    ("status", "has_it", "would_say_it_again"),
    [
        (0x0000, True, False),
        (0xB000, True, False),
        (0xB007, True, False),
        (0x0111, True, False),
        (0xA700, False, False),
        (0xA900, False, True),
        (0x0110, False, False),
        (0x0122, False, True),
        (0x0124, False, True),
        (0xC000, False, False),
        (0xC123, False, True),
        (0xFFFF, False, False),
    ],
)
def test_what_a_status_means(status: int, has_it: bool, would_say_it_again: bool) -> None:
    assert (arrived(status), never(status)) == (has_it, would_say_it_again)
    assert plain(status).endswith(f"(0x{status:04X})")


def test_the_urgent_goes_before_the_old(study: Study, workstation: Device) -> None:
    queued(study, workstation)
    urgent = queued(study, workstation, priority=Priority.HIGH)
    assert taken().row == urgent


def test_a_destination_is_sent_one_thing_at_a_time(
    study: Study, workstation: Device, archive: Device
) -> None:
    first, _second = queued(study, workstation), queued(study, workstation)
    other = queued(study, archive)
    assert taken().row == first
    assert taken().row == other
    assert claim_next() is None


def test_the_database_refuses_two_at_a_time(study: Study, workstation: Device) -> None:
    until = timezone.now()
    queued(study, workstation, status="sending", lease_until=until)
    with pytest.raises(IntegrityError, match="destination"), transaction.atomic():
        queued(study, workstation, status="sending", lease_until=until)


def test_what_waits_for_a_destination_that_is_down_keeps_its_attempts(
    study: Study, workstation: Device, archive: Device
) -> None:
    for _number in range(3):
        queued(study, workstation)
    note_not_done(taken(), reason="Nothing answers.", unreached=True)
    assert claim_next() is None
    other = queued(study, archive)
    assert taken().row == other
    assert sorted(Transfer.objects.values_list("attempts", flat=True)) == [0, 0, 1, 1]
    with after(datetime.timedelta(seconds=40)):
        assert taken().row.attempts == 1


def test_a_refused_image_holds_up_nothing_else(study: Study, workstation: Device) -> None:
    queued(study, workstation)
    second = queued(study, workstation)
    note_not_done(taken(), reason="Out of resources.")
    assert taken().row == second


@pytest.mark.parametrize("switched_off", ["active", "may_receive"])
def test_what_is_switched_off_is_waited_for(
    study: Study, workstation: Device, switched_off: str
) -> None:
    queued(study, workstation)
    Device.objects.filter(pk=workstation.pk).update(**{switched_off: False})
    assert claim_next() is None
    Device.objects.filter(pk=workstation.pk).update(**{switched_off: True})
    assert taken().row.destination == workstation


def test_ten_attempts_are_given_up_and_journalled(study: Study, workstation: Device) -> None:
    queued(study, workstation)
    moment = timezone.now()
    waits = []
    for attempt in range(10):
        with time_machine.travel(moment, tick=False):
            assert the_transfer().status == "waiting", attempt
            note_not_done(taken(), reason="Nothing answers at 10.0.0.1:104.", unreached=True)
            row = the_transfer()
            if row.next_attempt_at:
                waits.append((row.next_attempt_at - moment).total_seconds())
                moment = row.next_attempt_at
    assert (row.status, row.attempts) == ("failed", 10)
    assert row.last_error == "Nothing answers at 10.0.0.1:104."
    assert len(waits) == 9
    assert 0.8 * 3330 - 600 < sum(waits) < 1.2 * 3330
    failed = Event.objects.get(kind=Kind.STUDY_SENDING_FAILED)
    assert failed.details == {
        "to": "WS1",
        "content": "images",
        "images": 0,
        "sent": 0,
        "refused": 0,
        "tries": 10,
    }
    assert failed.study_instance_uid == study.study_instance_uid


def test_attempts_count_from_the_last_image_that_arrived(study: Study, workstation: Device) -> None:
    row = queued(study, workstation, attempts=9)
    claim = taken()
    uid = Instance.objects.values_list("sop_instance_uid", flat=True)[0]
    note_answers(claim, {uid: 0})
    note_not_done(claim, reason="cut")
    row.refresh_from_db()
    assert (row.status, row.attempts, row.sent_count) == ("waiting", 1, 1)


def test_what_arrived_and_what_is_refused_for_good_is_not_sent_again(
    make_study: MakeStudy, workstation: Device
) -> None:
    queued(make_study(4), workstation)
    claim = taken()
    uids = list(Instance.objects.order_by("id").values_list("sop_instance_uid", flat=True))
    note_answers(claim, dict(zip(uids, (0x0000, 0xB000, 0x0122, 0xA700), strict=True)))
    assert [one.sop_instance_uid for one in unsent(claim.row)] == uids[3:]
    row = the_transfer()
    assert (row.sent_count, row.failed_count) == (2, 1)


def test_a_worker_that_lost_its_transfer_can_write_nothing(
    study: Study, workstation: Device
) -> None:
    queued(study, workstation)
    slow = taken()
    with after(LEASE + datetime.timedelta(seconds=1)):
        fast = taken()
        assert fast.row == slow.row
        with pytest.raises(ClaimLost):
            renew(slow)
        with pytest.raises(ClaimLost):
            note_answers(slow, {})
        with pytest.raises(ClaimLost):
            note_done(slow)
        with pytest.raises(ClaimLost):
            note_not_done(slow, reason="late")
        note_done(fast)
    assert the_transfer().status == "sent"


def test_a_lease_that_is_renewed_does_not_end(study: Study, workstation: Device) -> None:
    queued(study, workstation)
    claim = taken()
    with after(datetime.timedelta(seconds=30)):
        renew(claim)
    with after(datetime.timedelta(seconds=60)):
        assert claim_next() is None


def test_a_transfer_that_kills_its_workers_is_not_given_up_but_comes_seldom(
    study: Study, workstation: Device
) -> None:
    queued(study, workstation)
    moment = timezone.now()
    for _number in range(11):
        moment += LEASE + datetime.timedelta(seconds=1)
        with time_machine.travel(moment, tick=False):
            claim_next()
    row = the_transfer()
    assert (row.status, row.attempts, row.cuts) == ("waiting", 0, 10)
    assert row.next_attempt_at == moment + LONGEST_WAIT
    assert "goes on by itself" in row.last_error


def test_a_connection_cut_before_any_answer_is_no_attempt(
    study: Study, workstation: Device
) -> None:
    queued(study, workstation, attempts=9)
    note_not_done(taken(), reason="the connection broke", cut=True)
    row = the_transfer()
    assert (row.status, row.attempts, row.cuts) == ("waiting", 9, 1)
    send_again(row, origin=Origin(protocol="web"))
    assert (the_transfer().attempts, the_transfer().cuts) == (0, 0)


def test_an_image_we_cannot_read_counts_as_an_attempt() -> None:
    progress = Progress(Claim(Transfer(), 1))
    progress.heard(Result(Instance(), Unanswered.CUT))
    assert progress.was_cut
    progress.heard(Result(Instance(), Unanswered.UNREADABLE))
    assert not progress.was_cut


def test_what_the_destination_says_of_one_image_is_an_answer() -> None:
    progress = Progress(Claim(Transfer(), 1))
    progress.heard(Result(Instance(sop_instance_uid="1.2"), 0xC000))
    progress.heard(Result(Instance(), Unanswered.CUT))
    assert not progress.was_cut
    assert set(progress.troubles) == {0xC000, Unanswered.CUT}


def test_a_form_sent_twice_asks_once(
    study: Study, workstation: Device, archive: Device, origin: Origin
) -> None:
    key = uuid.uuid4()
    for _click in range(2):
        ask_to_send(study, destinations=[workstation, archive], key=key, origin=origin)
    assert Transfer.objects.count() == 2
    asked = Event.objects.filter(kind=Kind.TRANSFER_ASKED)
    assert sorted(one.details["to"] for one in asked) == ["ARCHIVE", "WS1"]


def test_a_device_that_may_not_be_sent_images_is_refused(study: Study, origin: Origin) -> None:
    with pytest.raises(SendingRefused, match="may not be sent"):
        ask_to_send(study, destinations=[DeviceFactory.create()], origin=origin)
    assert not Transfer.objects.exists()


def test_only_the_chosen_series_are_sent(
    make_study: MakeStudy, workstation: Device, origin: Origin
) -> None:
    study = make_study(2)
    make_study(3, StudyInstanceUID=study.study_instance_uid)
    chosen = study.series.get(instance_count=3)
    (row,) = ask_to_send(study, destinations=[workstation], series=[chosen], origin=origin)
    assert {one.series for one in unsent(row)} == {chosen}
    assert unsent(row).count() == 3


def test_what_was_given_up_goes_on_with_what_is_missing(
    make_study: MakeStudy, workstation: Device, origin: Origin
) -> None:
    queued(make_study(3), workstation)
    claim = taken()
    uids = list(Instance.objects.values_list("sop_instance_uid", flat=True))
    note_answers(claim, {uids[0]: 0, uids[1]: 0x0122})
    note_not_done(claim, reason="broken", for_good=True)
    assert the_transfer().status == "partly"
    row = send_again(the_transfer(), origin=origin)
    assert (row.status, row.attempts, row.sent_count, row.failed_count) == ("waiting", 0, 1, 0)
    assert {one.sop_instance_uid for one in unsent(row)} == set(uids[1:])
    assert Event.objects.filter(kind=Kind.TRANSFER_REQUEUED).count() == 1


def test_what_arrived_whole_is_sent_whole_again(
    study: Study, workstation: Device, origin: Origin
) -> None:
    queued(study, workstation)
    claim = taken()
    note_answers(
        claim, dict.fromkeys(Instance.objects.values_list("sop_instance_uid", flat=True), 0)
    )
    note_done(claim)
    assert unsent(send_again(the_transfer(), origin=origin)).count() == 2


def test_another_destination_gets_all_of_it(
    study: Study, workstation: Device, archive: Device, origin: Origin
) -> None:
    row = queued(study, workstation, status="partly", sent_count=1)
    first = Instance.objects.all()[0]
    TransferItem.objects.create(transfer=row, instance=first, answer=0, arrived=True)
    changed = change_destination(row, destination=archive, origin=origin)
    assert (changed.destination, changed.status, changed.sent_count) == (archive, "waiting", 0)
    assert unsent(changed).count() == 2
    told = Event.objects.get(kind=Kind.TRANSFER_REQUEUED)
    assert told.details == {"to": "ARCHIVE", "content": "images", "instead_of": "WS1"}


def test_a_destination_that_gets_it_already_is_refused(
    study: Study, workstation: Device, archive: Device, origin: Origin
) -> None:
    event = Event.objects.latest("id")
    row = queued(study, workstation, event=event, status="failed")
    queued(study, archive, event=event)
    with pytest.raises(SendingRefused, match="already"):
        change_destination(row, destination=archive, origin=origin)


def test_a_transfer_is_dropped_with_a_reason(
    study: Study, workstation: Device, origin: Origin
) -> None:
    row = queued(study, workstation)
    with pytest.raises(SendingRefused, match="Say why"):
        drop(row, reason=" ", origin=origin)
    assert drop(row, reason="Wrong patient", origin=origin).status == "dropped"
    told = Event.objects.get(kind=Kind.TRANSFER_DROPPED)
    assert "Wrong patient" not in str(told.details)
    with pytest.raises(SendingRefused, match="not arrived"):
        drop(row, reason="Again", origin=origin)


def test_what_is_dropped_while_it_is_sent_is_taken_from_the_worker(
    study: Study, workstation: Device, origin: Origin
) -> None:
    row = queued(study, workstation)
    claim = taken()
    with pytest.raises(SendingRefused, match="just now"):
        send_again(row, origin=origin)
    drop(row, reason="Wrong study", origin=origin)
    with pytest.raises(ClaimLost):
        renew(claim)


def test_single_images_are_forgotten_a_month_after_all_arrived(
    study: Study, workstation: Device
) -> None:
    queued(study, workstation)
    claim = taken()
    note_answers(
        claim, dict.fromkeys(Instance.objects.values_list("sop_instance_uid", flat=True), 0)
    )
    note_done(claim)
    assert forget_old_answers() == 0
    with after(datetime.timedelta(days=31)):
        assert forget_old_answers() == 2
    assert the_transfer().sent_count == 2
