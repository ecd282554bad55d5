"""Sending to a device: counts, order, what a refusing or vanishing peer leaves."""

import logging
import os
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pydicom.dataset import Dataset
from pydicom.uid import UID

from apps.dimse import sending, suboperations
from apps.dimse.sending import send_instances
from apps.dimse.services import CalledDeviceFailed
from apps.dimse.services.calling import DeviceWithoutAddress
from apps.dimse.suboperations import Result, Unanswered
from apps.studies.models import Instance
from apps.studies.services import Outgoing, outgoing
from tests.dimse.conftest import ct_image
from tests.dimse.receiving import CT, as_file, keep, keep_images, receiver, slowly
from tests.factories import DeviceFactory
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("threads_db")
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def secondary_capture(uid: str) -> Dataset:
    made = ct_image(uid)
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID(SECONDARY_CAPTURE)
    return made


def test_images_arrive_in_order_as_they_are_stored() -> None:
    uids = keep_images(5)
    with receiver() as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sent.sent == [(uid, 0) for uid in uids]
    assert (sent.warned, sent.failed) == ([], [])
    assert peer.uids == uids
    assert peer.got[0].PixelData == ct_image(uids[0]).PixelData


def test_statuses_of_the_peer_are_told_apart() -> None:
    uids = keep_images(4)
    statuses = dict(zip(uids, (0x0000, 0xB000, 0xA700, 0xC123), strict=True))
    with receiver(statuses.__getitem__) as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sent.sent == [(uids[0], 0)]
    assert sent.warned == [(uids[1], 0xB000)]
    assert sent.failed == [(uids[2], 0xA700), (uids[3], 0xC123)]


def test_results_are_heard_in_the_thread_of_the_caller() -> None:
    uids = keep_images(3)
    heard: list[tuple[str, object]] = []

    def hear(result: Result) -> None:
        assert threading.current_thread() is threading.main_thread()
        heard.append((result.instance.sop_instance_uid, result.status))

    with receiver() as peer:
        send_instances(peer.device(), Instance.objects.all(), on_result=hear)
    assert heard == [(uid, 0) for uid in uids]


def test_several_associations_share_the_images() -> None:
    uids = keep_images(30)
    with receiver() as peer:
        sent = send_instances(peer.device(parallel_associations=3), Instance.objects.all())
        assert peer.associations == 3
    assert sorted(uid for uid, _status in sent.sent) == uids
    assert sorted(peer.uids) == uids


def test_an_image_goes_out_in_pdus_no_longer_than_the_peer_takes() -> None:
    image = ct_image("2.25.5999")
    image.PixelData = os.urandom(3_000_000)  # several pieces of a file, many PDUs
    keep(as_file(image))
    with receiver() as peer:
        send_instances(peer.device(), Instance.objects.all())
    assert peer.got[0].PixelData == image.PixelData


def test_an_image_larger_than_what_is_read_ahead_arrives_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suboperations, "READ_AHEAD", 1 << 20)
    image = ct_image("2.25.5999")
    image.PixelData = os.urandom(5_000_000)
    keep(as_file(image))
    keep_images(1)
    with receiver() as peer:
        send_instances(peer.device(), Instance.objects.all())
    assert sorted(peer.uids) == ["2.25.5000", "2.25.5999"]
    (large,) = (one for one in peer.got if one.SOPInstanceUID == "2.25.5999")
    assert large.PixelData == image.PixelData


def test_a_peer_may_announce_that_it_takes_pdus_of_any_length() -> None:
    image = ct_image("2.25.5999")
    image.PixelData = os.urandom(400_000)
    keep(as_file(image))
    with receiver(max_pdu=0) as peer:
        send_instances(peer.device(), Instance.objects.all())
    assert peer.got[0].PixelData == image.PixelData


def test_more_images_cost_hardly_more_queries() -> None:
    keep_images(40)
    with receiver() as peer:
        device = peer.device()
        with CaptureQueriesContext(connection) as few:
            send_instances(device, Instance.objects.filter(number__lt=2))
        with CaptureQueriesContext(connection) as many:
            send_instances(device, Instance.objects.all())
    assert len(many) == len(few) == 2


def test_an_error_of_ours_fails_one_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    uids = keep_images(3)

    def broken(instance: Instance) -> Outgoing:
        if instance.sop_instance_uid == uids[1]:
            raise KeyError("ours")
        return outgoing(instance)

    monkeypatch.setattr(suboperations, "outgoing", broken)
    with receiver() as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sent.failed == [(uids[1], Unanswered.UNREADABLE)]
    assert len(sent.sent) == 2


def test_a_class_that_the_peer_does_not_take_fails_alone() -> None:
    uids = keep_images(2)
    keep(as_file(secondary_capture("2.25.5900")))
    with receiver() as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
    assert sorted(uid for uid, _status in sent.sent) == uids
    assert sent.failed == [("2.25.5900", 0x0122)]


def test_a_file_that_is_gone_fails_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    uids = keep_images(3)
    lost = Instance.objects.get(sop_instance_uid=uids[1])
    (tmp_path / "dicom" / lost.file_name).unlink()
    with receiver() as peer, caplog.at_level(logging.WARNING):
        sent = send_instances(peer.device(), Instance.objects.all())
    assert [uid for uid, _status in sent.sent] == [uids[0], uids[2]]
    assert sent.failed == [(uids[1], Unanswered.UNREADABLE)]
    assert uids[1] in caplog.text


def test_many_classes_are_spread_over_associations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_CONTEXTS", 2)
    keep_images(2)
    keep(as_file(secondary_capture("2.25.5900")))
    with receiver(sop_classes=(CT, SECONDARY_CAPTURE)) as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
        assert peer.associations == 2
    assert len(sent.sent) == 3


def test_a_device_that_is_not_there_is_named_in_plain_words() -> None:
    keep_images(1)
    device = DeviceFactory.create(ae_title="DEST", port=free_port())
    with pytest.raises(CalledDeviceFailed, match=f"Nothing answers at 127.0.0.1:{device.port}"):
        send_instances(device, Instance.objects.all())


def test_a_device_without_an_address_cannot_be_sent_to() -> None:
    keep_images(1)
    with pytest.raises(DeviceWithoutAddress):
        send_instances(DeviceFactory.create(ae_title="DEST", host=""), Instance.objects.all())


def test_nothing_to_send_opens_no_association() -> None:
    with receiver() as peer:
        sent = send_instances(peer.device(), Instance.objects.all())
        assert peer.associations == 0
    assert sent.sent == []


def test_what_a_vanishing_peer_did_not_answer_counts_as_failed() -> None:
    uids = keep_images(6)

    with receiver() as peer:

        def vanish(uid: str) -> int:
            if uid == uids[2]:
                peer.stop()
                peer.hang_up()
            return 0

        peer.answer = vanish
        sent = send_instances(peer.device(), Instance.objects.all())
    assert [uid for uid, _status in sent.sent] == uids[:2]
    assert {uid for uid, _status in sent.failed} == set(uids[2:])


def test_a_peer_that_hangs_up_on_one_image_is_called_again_for_the_rest() -> None:
    uids = keep_images(4)
    with receiver() as peer:

        def choke(uid: str) -> int:
            if uid == uids[1]:
                peer.hang_up()
            return 0

        peer.answer = choke
        sent = send_instances(peer.device(), Instance.objects.all())
        assert peer.associations == 2
    # The image after it had been read already, and went down with the association.
    assert [uid for uid, _status in sent.failed] == uids[1:3]
    assert [uid for uid, _status in sent.sent] == [uids[0], uids[3]]


def test_sending_stops_when_cancelled() -> None:
    keep_images(40)
    with receiver(slowly(0.05)) as peer:
        heard: list[Result] = []
        sent = send_instances(
            peer.device(),
            Instance.objects.all(),
            on_result=heard.append,
            cancelled=lambda: len(heard) >= 3,
        )
    assert 3 <= len(sent.sent) < 40
    assert sent.failed == []
