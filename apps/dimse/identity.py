"""User identity negotiation (PS3.7 D.3.3.7) against what a device has to give."""

import hmac
import threading
from collections import OrderedDict
from hashlib import sha256

from django.contrib.auth.hashers import check_password

from apps.dimse.proposals import Identity
from apps.worklist.models import Device

USER, USER_AND_PASSCODE = 1, 2
REMEMBERED = 256


class Checker:
    """Compares passcodes with their hashes: one at a time, each right one once.

    A hash is made to be slow and large (100 MB): callers must not be able to have many
    computed at once, nor should each association of a device wait for one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._right: OrderedDict[bytes, None] = OrderedDict()

    def is_right(self, passcode: bytes, hashed: str) -> bool:
        key = sha256(len(hashed).to_bytes(4, "big") + hashed.encode() + passcode).digest()
        with self._lock:
            if key in self._right:
                return True
            if not check_password(passcode.decode("utf-8", "replace"), hashed):
                return False
            self._right[key] = None
            while len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
            return True


_checker = Checker()


def is_identified(device: Device, identity: Identity | None) -> bool:
    """Has the caller given the user name, and the passcode, of the device?

    A device without a user name need not give one: whatever it sends, types nobody knows
    included, is passed over, as by an acceptor that does not support the negotiation.
    """
    if not device.identity_user:
        return True
    if identity is None or identity.kind not in (USER, USER_AND_PASSCODE):
        return False
    if not hmac.compare_digest(identity.primary, device.identity_user.encode()):
        return False
    return not device.identity_password or (
        identity.kind == USER_AND_PASSCODE
        and _checker.is_right(identity.secondary, device.identity_password)
    )
