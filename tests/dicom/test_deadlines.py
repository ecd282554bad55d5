"""Deadlines: what takes too long is ended, what does not is left alone."""

import threading

from apps.dicom.deadlines import Deadlines


def test_what_takes_too_long_is_ended_once() -> None:
    ended: list[str] = []
    over = threading.Event()

    def end() -> None:
        ended.append("slow")
        over.set()

    deadlines = Deadlines()
    with deadlines.within(60, lambda: ended.append("patient")), deadlines.within(0.01, end):
        assert over.wait(20)
    assert ended == ["slow"]


def test_what_is_over_in_time_is_left_alone() -> None:
    ended: list[str] = []
    over = threading.Event()
    deadlines = Deadlines()
    with deadlines.within(0.2, lambda: ended.append("quick")):
        pass
    with deadlines.within(0.3, over.set):
        assert over.wait(20)
    assert ended == []


def test_one_thread_watches_all() -> None:
    deadlines = Deadlines()
    before = threading.active_count()
    for _ in range(5):
        with deadlines.within(60, lambda: None), deadlines.within(60, lambda: None):
            assert threading.active_count() == before + 1
