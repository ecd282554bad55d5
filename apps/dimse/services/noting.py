"""What this door writes down about those that call; the same thing only now and then."""

from collections.abc import Sequence

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.audit.throttle import SAME_QUESTION_SECONDS, Throttle
from apps.dicom.keys import Key, Matching
from apps.dimse.negotiation import Rejection
from apps.worklist.models import Device, ScheduledStep

REJECTIONS_PER_PEER_SECONDS, REJECTIONS_PER_HOUR = 60, 200


_rejections = Throttle(seconds=REJECTIONS_PER_PEER_SECONDS, per_hour=REJECTIONS_PER_HOUR)
_questions = Throttle(seconds=SAME_QUESTION_SECONDS, per_hour=100_000)


def note_rejection(rejection: Rejection, *, calling: str, origin: Origin) -> None:
    """Journal a refused association; a stranger who keeps trying fills nothing."""
    if not _rejections.passes((origin.address, rejection.text)):
        return
    title = "".join(char if char.isprintable() else "?" for char in calling)[:16]
    details = {"calling": title, "reason": rejection.text}
    record(Kind.ASSOCIATION_REJECTED, None, origin=origin, details=details)


def note_worklist_query(
    device: Device, *, keys: Sequence[Key], steps: Sequence[ScheduledStep], origin: Origin
) -> None:
    """Journal who was shown on which device; the same answer again only now and then."""
    asked = sorted(key.name for key in keys if key.matching is not Matching.UNIVERSAL)
    shown = [step.identifier for step in steps]
    if _questions.passes((device.pk, tuple(asked), tuple(shown))):
        details = {"keys": asked, "steps": shown[:100], "count": len(shown)}
        record(Kind.WORKLIST_QUERIED, device, origin=origin, details=details)
