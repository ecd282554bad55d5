"""Objects that came under a known UID with other content: both are kept, a person decides."""

import hashlib

from django.db import transaction

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.studies.models import Conflict, Instance
from apps.studies.services.incoming import Incoming, content_digest, opened
from apps.studies.services.outgoing import outgoing
from apps.studies.storage import stored_files


def keep_conflict(
    one: Incoming, name: str, *, instance_id: int | None, reason: str, origin: Origin
) -> Conflict:
    """List a file that was put aside as `name`; the same content again adds nothing."""
    with transaction.atomic():
        before = Conflict.objects.filter(
            sop_instance_uid=one.sop_instance_uid, sha256=one.sha256
        ).first()
        if before is None:
            return _list(one, name, instance_id, reason, origin=origin)
    if before.file_name != name:
        stored_files().remove(name)
    return before


def is_what_we_sent(one: Incoming, instance_id: int) -> bool:
    """Is this the stored object with its corrections, come back from whom it was sent to?"""
    instance = Instance.everything.get(pk=instance_id)
    if not instance.overlay:
        return False
    sent = outgoing(instance)
    if sent.size != one.size - one.content_offset:
        return False
    digest = hashlib.sha256()
    for piece in sent.pieces():
        digest.update(piece)
    with opened(one.path) as buffer:
        return digest.hexdigest() == content_digest(buffer, one.content_offset)


def _list(
    one: Incoming, name: str, instance_id: int | None, reason: str, *, origin: Origin
) -> Conflict:
    made = Conflict.objects.create(
        sop_instance_uid=one.sop_instance_uid,
        study_instance_uid=one.study_instance_uid,
        instance_id=instance_id,
        file_name=name,
        size=one.size,
        sha256=one.sha256,
        reason=reason,
        source=one.instance["source"],
    )
    record(
        Kind.CONFLICT_FOUND,
        made,
        origin=origin,
        study_instance_uid=one.study_instance_uid,
        details={"reason": reason, "sop_instance_uid": one.sop_instance_uid, "file": name},
    )
    return made
