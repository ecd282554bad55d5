"""Transfers on their way to real receivers: refusals, outages, cuts, killed workers."""

import datetime
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection, connections
from django.utils import timezone
from pydicom import dcmread

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.routing import sending
from apps.routing.models import Rule, Transfer
from apps.routing.sending import send_due
from apps.routing.services import ask_to_send, drop, route_study, send_again
from apps.routing.tasks import send_waiting
from apps.studies.models import Instance, Study
from apps.worklist.models import Device
from tests.dimse.receiving import Receiver, receiver
from tests.factories import DeviceFactory
from tests.routing.conftest import Complete, MakeStudy, make_due, queued, the_transfer
from tests.servers import free_port
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("threads_db")
ROOT = Path(__file__).parents[2]


def uids() -> list[str]:
    return sorted(Instance.objects.values_list("sop_instance_uid", flat=True))


def test_a_study_arrives_and_the_journal_says_so(make_study: MakeStudy) -> None:
    study = make_study(5)
    with receiver() as peer:
        queued(study, peer.device())
        assert send_due() == 1
    assert sorted(peer.uids) == uids()
    row = the_transfer()
    assert (row.status, row.total_count, row.sent_count) == ("sent", 5, 5)
    assert row.finished_at is not None
    told = Event.objects.get(kind=Kind.STUDY_SENT)
    assert (told.peer, told.study_instance_uid) == ("DEST", study.study_instance_uid)
    assert told.details["sent"] == 5


def test_a_rule_sends_a_study_that_is_complete(make_study: MakeStudy, complete: Complete) -> None:
    study = make_study(2)
    with receiver() as peer:
        rule = Rule.objects.create(name="All CT", modalities="CT")
        rule.destinations.add(peer.device())
        route_study(complete(study))
        send_waiting()
    assert sorted(peer.uids) == uids()


def test_late_images_are_sent_alone(make_study: MakeStudy, complete: Complete) -> None:
    study = make_study(3)
    with receiver() as peer:
        rule = Rule.objects.create(name="All")
        rule.destinations.add(peer.device())
        route_study(complete(study))
        send_due()
        before = set(uids())
        make_study(2, StudyInstanceUID=study.study_instance_uid)
        route_study(complete(study, Kind.STUDY_EXTENDED))
        send_due()
    assert Counter(peer.uids) == Counter(uids())
    assert set(peer.uids[3:]) == set(uids()) - before


def test_what_a_device_sent_itself_is_not_sent_back_to_it(
    make_study: MakeStudy, complete: Complete
) -> None:
    study = make_study(2)
    make_study(2, source="DEST", StudyInstanceUID=study.study_instance_uid)
    with receiver() as peer:
        rule = Rule.objects.create(name="All")
        rule.destinations.add(peer.device())
        route_study(complete(study))
        send_due()
    own = Instance.objects.filter(source="DEST").values_list("sop_instance_uid", flat=True)
    assert set(peer.uids) == set(uids()) - set(own)
    assert the_transfer().status == "sent"


def test_what_is_refused_for_good_is_given_up_at_once(make_study: MakeStudy) -> None:
    make_study(3)
    bad = uids()[1]
    with receiver(lambda uid: 0x0122 if uid == bad else 0) as peer:
        queued(Study.objects.get(), peer.device())
        send_due()
        make_due()
        assert send_due() == 0
    row = the_transfer()
    assert (row.status, row.attempts, row.sent_count, row.failed_count) == ("partly", 1, 2, 1)
    assert "(0x0122)" in row.last_error
    assert Event.objects.get(kind=Kind.STUDY_SENDING_FAILED).details["refused"] == 1


def test_a_kind_of_image_the_device_does_not_take_is_given_up_at_once(
    make_study: MakeStudy,
) -> None:
    make_study(2, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    with receiver() as peer:
        queued(Study.objects.get(), peer.device())
        send_due()
    assert (the_transfer().status, the_transfer().attempts) == ("failed", 1)


def test_images_that_were_refused_for_now_are_sent_alone_next_time(make_study: MakeStudy) -> None:
    make_study(4)
    full = {"now": True}
    late = uids()[2]
    with receiver(lambda uid: 0xA700 if uid == late and full["now"] else 0) as peer:
        queued(Study.objects.get(), peer.device())
        send_due()
        row = the_transfer()
        assert (row.status, row.sent_count) == ("waiting", 3)
        assert row.last_error == "1 image did not arrive: it is out of resources (0xA700)."
        full["now"] = False
        make_due()
        send_due()
    assert Counter(peer.uids) == Counter({**dict.fromkeys(uids(), 1), late: 2})
    assert the_transfer().status == "sent"


def test_a_destination_that_is_down_for_an_hour_gets_everything(
    make_study: MakeStudy, caplog: pytest.LogCaptureFixture
) -> None:
    studies = [make_study(1) for _number in range(20)]
    port, start = free_port(), timezone.now()
    device = DeviceFactory.create(ae_title="DEST", port=port, may_receive=True)
    for study in studies:
        queued(study, device)
    tried = 0
    for minute in range(0, 60, 2):
        with time_machine.travel(start + datetime.timedelta(minutes=minute), tick=True):
            tried += send_due()
    assert 8 <= tried <= 12  # not twenty times as often
    assert Transfer.objects.filter(status="sent").count() == 0
    with time_machine.travel(start + datetime.timedelta(minutes=75), tick=True):
        for row in Transfer.objects.given_up():
            send_again(row, origin=Origin(protocol="test"))
        with receiver() as peer:
            Device.objects.update(port=peer.port)
            send_due()
    assert sorted(peer.uids) == uids()
    assert Transfer.objects.filter(status="sent").count() == 20
    assert "Müller" not in caplog.text


def test_given_up_after_ten_attempts_then_all_of_it_is_delivered(make_study: MakeStudy) -> None:
    make_study(3)
    device = DeviceFactory.create(ae_title="DEST", port=free_port(), may_receive=True)
    queued(Study.objects.get(), device)
    for _attempt in range(12):
        make_due()
        send_due()
    row = the_transfer()
    assert (row.status, row.attempts) == ("failed", 10)
    assert row.last_error == f"Nothing answers at 127.0.0.1:{device.port}."
    with receiver() as peer:
        Device.objects.update(port=peer.port)
        send_again(row, origin=Origin(protocol="test"))
        send_due()
    assert sorted(peer.uids) == uids()
    assert the_transfer().status == "sent"


def test_a_cut_is_gone_on_from_at_the_first_unsent_image(make_study: MakeStudy) -> None:
    make_study(12)
    with receiver() as peer:
        row = queued(Study.objects.get(), peer.device())

        def vanish(_uid: str) -> int:
            if len(peer.got) == 5:
                peer.hang_up()
                peer.stop()
            return 0

        peer.answer = vanish
        send_due()
    got = peer.uids
    row.refresh_from_db()
    assert row.status == "waiting"
    assert 4 <= row.sent_count <= len(got) < 12
    with receiver() as again:
        Device.objects.update(port=again.port)
        make_due()
        send_due()
    assert len(again.uids) == 12 - row.sent_count
    assert set(got) | set(again.uids) == set(uids())
    assert the_transfer().status == "sent"


def test_what_is_dropped_while_it_is_sent_stops(
    make_study: MakeStudy, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "KEEP_SECONDS", 0)
    make_study(60)

    def slow(_uid: str) -> int:
        time.sleep(0.02)
        if len(peer.got) == 3:
            drop(the_transfer(), reason="Wrong patient", origin=origin)
            connections.close_all()
        return 0

    with receiver() as peer:
        queued(Study.objects.get(), peer.device())
        peer.answer = slow
        send_due()
        assert len(peer.got) < 60
    assert the_transfer().status == "dropped"


def test_some_threads_are_left_for_other_work(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = threading.BoundedSemaphore(1)
    monkeypatch.setattr(sending, "_threads", lambda: busy)
    with receiver() as peer:
        queued(make_study(1), peer.device())
        busy.acquire()
        assert send_due() == 0
        busy.release()
        assert send_due() == 1
        assert send_due() == 0


def test_workers_side_by_side_send_everything_once(make_study: MakeStudy) -> None:
    studies = [make_study(2) for _number in range(4)]
    with receiver() as one, receiver() as other:
        devices = [one.device(ae_title="ONE"), other.device(ae_title="OTHER")]
        for study in studies:
            for device in devices:
                queued(study, device)

        def work(_worker: int) -> None:
            for _round in range(4):
                send_due()
                time.sleep(0.2)

        at_once(work, range(3))
        send_due()
    expected = Counter(uids())
    assert Counter(one.uids) == expected
    assert Counter(other.uids) == expected
    assert set(Transfer.objects.values_list("status", flat=True)) == {"sent"}


@pytest.fixture
def slow_peer() -> Iterator[Receiver]:
    def answer(_uid: str) -> int:
        time.sleep(0.03)
        return 0

    with receiver(answer) as peer:
        yield peer


@pytest.mark.fault
def test_a_worker_killed_while_it_sends_loses_nothing(
    make_study: MakeStudy, slow_peer: Receiver, tmp_path: Path
) -> None:
    make_study(150)
    queued(Study.objects.get(), slow_peer.device())
    kept = []
    for kill_at in (40, 100):
        with start_worker(tmp_path) as worker:
            while len(slow_peer.got) < kill_at and worker.poll() is None:
                time.sleep(0.02)
            worker.kill()
        assert worker.returncode == -9, (tmp_path / "worker.log").read_text()
        row = the_transfer()
        assert row.status == "sending"
        kept.append(row.sent_count)
        assert send_due() == 0  # the lease still holds: nobody doubles what may be going on
        Transfer.objects.update(lease_until=timezone.now())
    assert 0 < kept[0] < kept[1]
    with time_machine.travel(timezone.now() + datetime.timedelta(seconds=1), tick=True):
        assert send_due() == 1
    assert set(slow_peer.uids) == set(uids())
    doubled = len(slow_peer.uids) - 150
    assert doubled <= 100  # what was answered but not yet written, at two kills
    row = the_transfer()
    assert (row.status, row.sent_count, row.items.count()) == ("sent", 150, 150)
    assert Event.objects.filter(kind=Kind.STUDY_SENT).count() == 1


def start_worker(tmp_path: Path) -> "subprocess.Popen[bytes]":
    """A process of its own that sends what is due, on the database of this test."""
    script = (
        "import django; django.setup();from apps.routing.sending import send_due; print(send_due())"
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
        "DATABASE_URL": database_url(),
        "DICOM_STORAGE": str(tmp_path / "dicom"),
        "OPENPACS_HOME": str(tmp_path / "home"),
    }
    with (tmp_path / "worker.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=log, stderr=log
        )


def database_url() -> str:
    fields: dict[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{fields['NAME']}"
    where = f"{fields['HOST']}:{fields['PORT']}/{fields['NAME']}"
    return f"postgres://{fields['USER']}:{fields['PASSWORD']}@{where}"


@pytest.mark.peer
def test_dcmtk_receives_a_study(make_study: MakeStudy, tmp_path: Path, origin: Origin) -> None:
    folder, port = tmp_path / "received", free_port()
    folder.mkdir()
    arguments = ["/usr/bin/storescp", "-od", str(folder), "-aet", "DEST", str(port)]
    with subprocess.Popen(arguments, env={**os.environ, "TCP_NODELAY": "1"}) as peer:
        try:
            study = make_study(10)
            device = DeviceFactory.create(ae_title="DEST", port=port, may_receive=True)
            ask_to_send(study, destinations=[device], origin=origin)
            deadline = time.monotonic() + 20
            while the_transfer().status != "sent" and time.monotonic() < deadline:
                make_due()  # the peer may still be starting
                send_due()
        finally:
            peer.terminate()
    received = [dcmread(path) for path in folder.iterdir()]
    assert sorted(str(one.SOPInstanceUID) for one in received) == uids()
    assert {str(one.PatientName) for one in received} == {"Müller^Jörg"}
    assert the_transfer().status == "sent"
