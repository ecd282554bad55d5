"""Nobody takes an answer away from who waits for it on an association of pynetdicom.

Its thread, which serves what the peer asks, is to pause while we wait for an answer. It says so
before it looks whether it has to, and takes it back a moment later: who asks in between goes
on, and the thread throws the answer away as unexpected. Under load that happens. And where the
thread has ended, as it does when the peer is gone, it says nothing more: who asks would wait
for ever.
"""

from threading import Event

from pynetdicom.association import Association

LOOK_SECONDS = 0.002


class _Checkpoint(Event):
    def __init__(self) -> None:
        super().__init__()
        self.reached = False

    def clear(self) -> None:
        """What the thread said before does not count."""
        super().clear()
        self.reached = False

    def wait(self, timeout: float | None = None) -> bool:
        """It says it again, as long as it waits."""
        while not super().wait(LOOK_SECONDS):
            self.reached = True
        return True


class _Pausing(Association):
    """An association that tells truly whether its thread does nothing."""

    _reactor_checkpoint: _Checkpoint

    @property
    def _is_paused(self) -> bool:
        return self._reactor_checkpoint.reached or not self.is_alive()

    @_is_paused.setter
    def _is_paused(self, said: bool) -> None:
        """What it says by itself comes too early: the checkpoint knows."""


def pause_surely(association: Association) -> None:
    """For an association of ours, before the first message on it."""
    checkpoint = _Checkpoint()
    checkpoint.set()
    association._reactor_checkpoint = checkpoint
    association.__class__ = _Pausing
