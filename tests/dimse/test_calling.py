"""Devices that do not want to talk with us: what is said of it."""

import threading

import pytest
from pynetdicom import evt

from apps.dimse.listener import Listener
from apps.dimse.services.calling import CalledDeviceFailed, calling
from tests.factories import DeviceFactory

ECHO = "1.2.840.10008.1.1"
REFUSES = "refuses our AE title or its own"


def test_a_refusal_is_told_from_silence(listener: Listener) -> None:
    far = DeviceFactory.build(ae_title="FAR", host="127.0.0.1", port=listener.port)
    with pytest.raises(CalledDeviceFailed, match=REFUSES), calling(far, ECHO):
        pass


def test_a_refusal_that_comes_before_we_look_is_told_from_silence(listener: Listener) -> None:
    far = DeviceFactory.build(ae_title="FAR", host="127.0.0.1", port=listener.port)
    hung_up = threading.Event()
    slow = [
        (evt.EVT_REQUESTED, lambda _event: hung_up.wait(20)),
        (evt.EVT_CONN_CLOSE, lambda _event: hung_up.set()),
    ]
    with pytest.raises(CalledDeviceFailed, match=REFUSES), calling(far, ECHO, handlers=slow):
        pass
