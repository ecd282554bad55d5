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
    code = status.SUCCESS
    named = request.command.text(messages.ATTRIBUTE_LIST)
    if named:
        wanted = {int(tag, 16) for tag in named.split("\\")}
        if not wanted <= set(attributes.keys()):
            code = status.OPTIONAL_ATTRIBUTES
        attributes = _chosen(attributes, wanted)
    encoded = identifiers.encode(attributes, request.context.transfer_syntax)
    request.respond(code, encoded)


def _chosen(attributes: Dataset, wanted: set[int]) -> Dataset:
    """These attributes, and the character set that their texts are in."""
    chosen = Dataset({element.tag: element for element in attributes if element.tag in wanted})
    if "SpecificCharacterSet" in attributes and chosen:
        chosen.SpecificCharacterSet = attributes.SpecificCharacterSet
    return chosen


def _received(request: Request) -> Dataset:
    return identifiers.decode(request.data_set(), request.context.transfer_syntax)


def _known(request: Request) -> PerformedStep:
    uid = request.command.sop_instance_uid
    try:
        return PerformedStep.objects.get(sop_instance_uid=uid)
    except PerformedStep.DoesNotExist:
        raise status.NoSuchInstanceError(f"no performed step {uid}") from None
