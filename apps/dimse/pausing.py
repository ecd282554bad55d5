"""Nobody takes an answer away from who waits for it on an association of pynetdicom.

Its thread, which serves what the peer asks, is to pause while we wait for an answer. It says so
before it looks whether it has to, and takes it back a moment later: who asks in between goes
on, and the thread throws the answer away as unexpected. Under load that happens.
"""

from threading import Event

from pynetdicom.association import Association

LOOK_SECONDS = 0.002


class _Checkpoint(Event):
    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association

    def clear(self) -> None:
        """What the thread said before does not count."""
        super().clear()
        self._association._is_paused = False

    def wait(self, timeout: float | None = None) -> bool:
        """It says it again, as long as it waits."""
        while not super().wait(LOOK_SECONDS):
            self._association._is_paused = True
        return True


def pause_surely(association: Association) -> None:
    """For an association of ours, before the first message on it."""
    checkpoint = _Checkpoint(association)
    checkpoint.set()
    association._reactor_checkpoint = checkpoint
