"""pynetdicom's thread has paused when it says so, not a moment before, or when it has ended."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from apps.dimse.listener import Listener
from apps.dimse.pausing import pause_surely
from tests.dimse.conftest import Dial


def paused_surely(*, alive: bool) -> Any:
    association: Any = Association(AE(), "requestor")
    association.is_alive = lambda: alive
    pause_surely(association)
    return association


def test_what_the_thread_said_before_it_was_asked_does_not_count() -> None:
    association = paused_surely(alive=True)
    checkpoint = association._reactor_checkpoint
    association._is_paused = True
    assert checkpoint.wait()
    checkpoint.clear()
    assert not association._is_paused
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(checkpoint.wait)
        while not association._is_paused:
            assert not waiting.done()
        checkpoint.set()
        assert waiting.result(timeout=5)


def test_nobody_waits_for_a_thread_that_has_ended() -> None:
    association = paused_surely(alive=False)
    association._reactor_checkpoint.clear()
    assert association._is_paused


@pytest.mark.django_db(transaction=True)
def test_answers_come_on_such_an_association(listener: Listener, dial: Dial) -> None:
    association = dial(listener)
    assert {association.send_c_echo(number).Status for number in range(1, 20)} == {0}
