"""pynetdicom's thread has paused when it says so, not a moment before."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from apps.dimse.listener import Listener
from apps.dimse.pausing import pause_surely
from tests.dimse.conftest import Dial


def test_what_the_thread_said_before_it_was_asked_does_not_count() -> None:
    association: Any = SimpleNamespace(_is_paused=True)
    pause_surely(association)
    checkpoint: Event = association._reactor_checkpoint
    assert checkpoint.wait()
    checkpoint.clear()
    assert not association._is_paused
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(checkpoint.wait)
        while not association._is_paused:
            assert not waiting.done()
        checkpoint.set()
        assert waiting.result(timeout=5)


@pytest.mark.django_db(transaction=True)
def test_answers_come_on_such_an_association(listener: Listener, dial: Dial) -> None:
    association = dial(listener)
    assert {association.send_c_echo(number).Status for number in range(1, 20)} == {0}
