"""A partner and a listener on a free port, for every test of the HL7 door."""

import threading
from collections.abc import Iterator

import pytest

from apps.hl7.listening import make_listener
from apps.hl7.mllp import Limits, Listener
from apps.hl7.models import Partner


@pytest.fixture
def partner(db: None) -> Partner:
    return Partner.objects.create(name="HIS", application="HIS", facility="HOSP")


@pytest.fixture
def listener(transactional_db: None) -> Iterator[Listener]:
    """A running listener with the whole inbound path behind it."""
    running = make_listener("127.0.0.1", 0, limits=Limits(connections=8))
    running.open()
    thread = threading.Thread(target=running.serve)
    thread.start()
    yield running
    running.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()
