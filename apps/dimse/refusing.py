"""Whether a called peer refused the association, as pynetdicom does not always know."""

from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

_REJECTED = (1, 2)  # for good, for now (PS3.8 9.3.4)


def is_refused(association: Association) -> bool:
    """For an association that was not established: did the peer answer with a refusal?

    Who refuses hangs up. Where that comes before pynetdicom looks whether it is connected,
    it takes the peer for absent, and the answer lies unread in its queue.
    """
    unread = association.dul.peek_next_pdu()
    is_unread = isinstance(unread, A_ASSOCIATE) and unread.result in _REJECTED
    return association.is_rejected or is_unread
