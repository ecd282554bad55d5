"""Modality Performed Procedure Step: N-CREATE, N-SET, N-GET (PS3.4 F.7, F.8)."""

from pydicom.dataset import Dataset

from apps.dicom.uids import new_uid, valid_uid
from apps.dimse import identifiers, messages, status
from apps.dimse.association import Request
from apps.dimse.performed import performed_changes, performed_details
from apps.worklist.models import PerformedStep
from apps.worklist.services.performed import finish_step, start_step


def create_step(request: Request) -> None:
    """N-CREATE: the device has begun."""
    received = _received(request)
    uid = request.command.sop_instance_uid or new_uid()
    if not valid_uid(uid):
        raise status.InvalidInstanceError("Affected SOP Instance UID")
    if "PerformedProcedureStepStatus" not in received:
        raise status.MissingAttributeError("Performed Procedure Step Status")
    details = performed_details(received, uid=uid, device=request.association.device)
    start_step(details, origin=request.association.origin)
    request.respond(status.SUCCESS, instance=uid)


def set_step(request: Request) -> None:
    """N-SET: the device adds to its report, or ends it."""
    received = _received(request)
    changes = performed_changes(received)
    finish_step(_known(request), changes=changes, origin=request.association.origin)
    request.respond(status.SUCCESS)


def get_step(request: Request) -> None:
    """N-GET: what we have of a report; all of it where nothing is named."""
    performed = _known(request)
    attributes = Dataset.from_json(performed.attributes)
    attributes.PerformedProcedureStepStatus = performed.status
    wanted = request.command.text(messages.ATTRIBUTE_LIST)
    if wanted:
        tags = {int(tag, 16) for tag in wanted.split("\\")}
        chosen = [element for element in attributes if int(element.tag) in tags]
        attributes = Dataset({element.tag: element for element in chosen})
    encoded = identifiers.encode(attributes, request.context.transfer_syntax)
    request.respond(status.SUCCESS, encoded)


def _received(request: Request) -> Dataset:
    return identifiers.decode(request.data_set(), request.context.transfer_syntax)


def _known(request: Request) -> PerformedStep:
    uid = request.command.sop_instance_uid
    try:
        return PerformedStep.objects.get(sop_instance_uid=uid)
    except PerformedStep.DoesNotExist:
        raise status.NoSuchInstanceError(f"no performed step {uid}") from None
