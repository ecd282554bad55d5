"""What we do for others and ask of them: SOP classes, roles, keys, statuses."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django.conf import settings
from django.db import Error as DatabaseError
from django.utils.translation import gettext as _

from apps.dicom import sop_classes
from apps.dimse import offers, status
from apps.dimse.conformance.names import (
    OPERATIONS,
    attribute_of,
    matching_of,
    status_of,
    uid_name,
)
from apps.dimse.conformance.structure import Section, Table
from apps.dimse.conformance.worklist import worklist_section
from apps.dimse.handlers import BY_SERVICE
from apps.studies.conditions import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS
from apps.studies.datasets import UNIQUE_KEYS, Level
from apps.worklist.models import Device
from apps.worklist.services.performed import WRONG_WORKLIST_ENTRY

# What we open associations for: SOP classes, what is asked, when.
_ASKED: tuple[tuple[tuple[str, ...], str], ...] = (
    ((offers.VERIFICATION,), "C-ECHO"),
    ((offers.COMMITMENT,), "N-ACTION"),
    ((offers.STUDY_FIND,), "C-FIND"),
    ((offers.STUDY_MOVE,), "C-MOVE"),
    ((offers.STUDY_GET,), "C-GET"),
    ((offers.AVAILABILITY,), "N-CREATE"),
)


def offered_classes() -> list[tuple[str, str]]:
    """(SOP class UID, the operations we answer in it), storage classes left out."""
    asked: dict[str, list[str]] = {}
    for operation, sop_class in BY_SERVICE:
        asked.setdefault(sop_class, []).append(OPERATIONS[operation])
    return [(sop_class, ", ".join(names)) for sop_class, names in asked.items()]


def overview_table() -> Table:
    """Every SOP class with its roles (PS3.2 A.1, table of network services)."""
    asked = {uid for classes, _operation in _ASKED for uid in classes}
    served = [uid for uid, _operations in offered_classes()]
    rows = [
        (uid_name(uid), uid, _yes(uid in asked), _yes(uid in served))
        for uid in dict.fromkeys([*served, *sorted(asked)])
    ]
    storage = (_("Storage"), _("see the annex of storage classes"), _yes(True), _yes(True))
    return Table((_("SOP class"), _("UID"), _("SCU"), _("SCP")), (*rows, storage))


def served_section() -> Section:
    """What we do when we are called."""
    rows = [
        (uid_name(uid), operations, _right(offers.RIGHTS[uid]))
        for uid, operations in offered_classes()
    ]
    rows.append((_("Storage (all classes)"), "C-STORE", _right("may_store")))
    columns = (_("SOP class"), _("Operations"), _("Right in the profile of the device"))
    return Section(
        _("Services as SCP"),
        texts=(
            _(
                "A SOP class that the device has no right to is rejected in its presentation "
                "context (user rejection); one that we do not know as abstract syntax not "
                "supported."
            ),
        ),
        tables=(Table(columns, tuple(rows)),),
        parts=(
            _storage(),
            worklist_section(),
            _performed_steps(),
            _commitment(),
            _query(),
            _retrieval(),
            _statuses(),
        ),
    )


def asking_section() -> Section:
    """What we ask of devices that we call."""
    rows = [(uid_name(uid), uid, operation) for classes, operation in _ASKED for uid in classes]
    rows.append((_("Storage (classes of the images sent)"), "", "C-STORE"))
    return Section(
        _("Services as SCU"),
        texts=(
            _(
                "Images are sent to devices that may be sent images, over as many associations as "
                "the device's profile says. Each image is proposed in the transfer syntax it is "
                "stored in or that the profile prefers, and in uncompressed ones: what the device "
                "does not take is transcoded without loss to one that it does. As source of a "
                "C-MOVE the Move Originator is named."
            ),
            _(
                "Storage commitment is asked of devices that confirm storage; the report is taken "
                "on the same association or on one that the device opens (SCP role, PS3.7 "
                "D.3.3.4). Studies of other archives are found with C-FIND at study and series "
                "level and retrieved with C-MOVE or, by profile, C-GET. Instance Availability "
                "Notification goes to devices that want to be told of complete studies."
            ),
        ),
        tables=(Table((_("SOP class"), _("UID"), _("Operation")), tuple(rows)),),
    )


def storage_annex() -> Section:
    """Every storage class by name, with the rule for those without one."""
    rows = sorted((uid_name(uid), uid) for uid in sop_classes.STORAGE)
    return Section(
        _("Storage SOP classes"),
        texts=(
            _(
                "%(count)d classes are known by name; every other class below %(root)s, retired or "
                "to come, is taken too. Private classes are taken from devices whose profile names "
                "them. All are stored in the same way."
            )
            % {"count": len(rows), "root": sop_classes.STORAGE_ROOT},
        ),
        tables=(Table((_("SOP class"), _("UID")), tuple(rows)),),
    )


def _storage() -> Section:
    return Section(
        _("Storage"),
        texts=(
            _(
                "Success (0x0000) is answered when the file is durable on disk: written, "
                "synchronised, named. The data set is kept as it came, byte for byte; corrections "
                "are kept beside it and applied on every way out, with an Original Attributes "
                "Sequence. Level of support 2 (full)."
            ),
            _(
                "An object with a known SOP Instance UID and the same content is success without "
                "new work; with other content the first one stays and the newcomer is kept for a "
                "person to decide. On release the listener waits a moment until the files of the "
                "association are indexed, so that a query after the release finds them."
            ),
            _(
                "Data sets are looked through after the answer. One that ends within its pixel "
                "data, cannot be read, or has a Study or Series Instance UID that is none, is kept "
                "for a person to decide and not found by queries; a storage commitment request "
                "for it fails. An object without Study or Series Instance UID is listed under one "
                "that is made from its own UID, and leaves with it."
            ),
        ),
    )


def _performed_steps() -> Section:
    return Section(
        _("Modality Performed Procedure Step"),
        texts=(
            _(
                "The scheduled step is found by its ID, else by Study Instance UID, requested "
                "procedure ID or accession number, of the Scheduled Step Attributes Sequence, "
                "never by a guess among several. A report that names no step of ours, or one of "
                "another patient, is kept as unscheduled."
            ),
            _(
                "A performed step begins IN PROGRESS. COMPLETED and DISCONTINUED are final: a "
                "later N-SET gets 0x0110 with Error ID %(final)s. A repeated SOP Instance UID "
                "gets 0x0111. A discontinuation with reason %(wrong)s (incorrect worklist entry "
                "selected) puts the step back on the worklist."
            )
            % {"final": status_of(status.MPPS_FINAL), "wrong": WRONG_WORKLIST_ENTRY},
        ),
    )


def _commitment() -> Section:
    return Section(
        _("Storage Commitment Push Model"),
        texts=(
            _(
                "Requests are kept before they are answered and survive a restart. An instance is "
                "committed when its file was read back and is what was stored. The report "
                "(N-EVENT-REPORT) comes on the association that asked while that is open and idle, "
                "else on one of ours to the device's host and port, tried again until it is taken."
            ),
            _(
                "Failure reasons: 0x0112 (not known here), 0x0119 (other SOP class), 0x0110 (the "
                "file is missing, damaged or out of reach)."
            ),
        ),
    )


def _query() -> Section:
    return Section(
        _("Query"),
        texts=(
            _(
                "Patient Root and Study Root. Hierarchical queries need the unique keys of the "
                "levels above; relational queries do not, where they were negotiated (PS3.4 C.5). "
                "Keys listed here are compared in the index, every other attribute with the "
                "stored headers; any attribute of the stored headers may be a return key. Person "
                "names are compared without regard to case and accents, in each component group."
            ),
            _(
                "Number of Patient Related Studies, Series and Instances, SOP Classes in Study, "
                "Retrieve AE Title and Instance Availability are answered and not compared at the "
                "levels of patients and studies. Asking to compare the numbers, or for keys of a "
                "lower level, gives answers of status 0xFF01."
            ),
            _(
                "One query gets at most %(rows)d answers, and the database, or the reading of "
                "headers, at most %(seconds)d seconds; beyond that it ends with 0xA700 after what "
                "was found. Answers are written in the "
                "character set of the query where that can hold them, else in that of the device."
            )
            % {
                "rows": settings.OPENPACS_QUERY_ROWS,
                "seconds": settings.OPENPACS_QUERY_SECONDS,
            },
            _extended_text(),
        ),
        tables=tuple(_levels()),
    )


def _levels() -> Iterable[Table]:
    """One table per level of the information models."""
    patient = {name: one for name, one in STUDY_KEYS.items() if name.startswith("Patient")}
    patient["IssuerOfPatientID"] = STUDY_KEYS["IssuerOfPatientID"]
    levels: dict[Level, Mapping[str, object]] = {
        Level.PATIENT: patient,
        Level.STUDY: STUDY_KEYS,
        Level.SERIES: SERIES_KEYS,
        Level.IMAGE: INSTANCE_KEYS,
    }
    for level, keys in levels.items():
        columns = (_("Key at level %s") % level.value, _("Tag"), _("VR"), _("Matching"))
        yield Table(columns, tuple(_key(name, level) for name in keys))


def _key(keyword: str, level: Level) -> tuple[str, ...]:
    name, tag, vr = attribute_of(keyword)
    unique = _(" (unique key)") if UNIQUE_KEYS[level] == keyword else ""
    return name + unique, tag, vr, matching_of(keyword)


def _extended_text() -> str:
    """Bytes of the SOP Class Extended Negotiation, in words (PS3.4 table C.5-1)."""
    words = (
        _("relational queries"),
        _("combined date-time matching"),
        _("fuzzy matching of names"),
        _("timezone query adjustment"),
    )
    offered = offers.EXTENDED[offers.STUDY_FIND]
    taken = [word for word, byte in zip(words, offered, strict=False) if byte]
    return _(
        "Extended negotiation: %(taken)s. Fuzzy: each word of the key begins a word of the name. "
        "Dates and times are those of Timezone Offset From UTC (0008,0201) where a query gives it, "
        "negotiated or not."
    ) % {"taken": ", ".join(taken)}


def _retrieval() -> Section:
    return Section(
        _("Retrieve"),
        texts=(
            _(
                "C-MOVE sends to configured devices that may be sent images; others get 0xA801. "
                "C-GET sends on the association that asks, in the storage classes for which the "
                "peer took the SCP role. Keys are the unique keys of the level; a study may also "
                "be named by accession number or patient ID. A request without any of them is "
                "refused: the archive is never moved as a whole. Unique keys of higher levels of "
                "the model hold too, with Issuer of Patient ID where Patient ID does; any other "
                "key is passed over, with a line in the log that names it."
            ),
            _(
                "Completed, failed and warning sub-operations are counted in every response, "
                "remaining ones in those before the last and where a C-CANCEL has left some; "
                "failed UIDs are listed in the last. What the destination does not "
                "take as it is stored is transcoded without loss. A C-CANCEL is honoured."
            ),
        ),
    )


def _statuses() -> Section:
    """The table of what can go wrong, from which every handler answers."""
    meanings: dict[type[Exception], str] = {
        OSError: _("The disk or storage cannot be written or read."),
        DatabaseError: _("The database is out of reach or full."),
    }
    rows = [
        (
            meanings.get(kind) or _first_line(kind),
            status_of(refusal.composite),
            status_of(refusal.normalized),
            status_of(refusal.error_id) if refusal.error_id else "",
        )
        for kind, refusal in status.TABLE.items()
    ]
    unexpected = status.UNEXPECTED
    rows.append(
        (
            _("A fault of ours that was not foreseen."),
            status_of(unexpected.composite),
            status_of(unexpected.normalized),
            "",
        )
    )
    columns = (_("What went wrong"), _("C- services"), _("N- services"), _("Error ID"))
    return Section(_("Statuses"), tables=(_ends(), Table(columns, tuple(rows))))


def _ends() -> Table:
    """How operations end that did not go wrong, or not wholly."""
    rows = (
        (status.SUCCESS, _("all services"), _("done")),
        (status.OPTIONAL_ATTRIBUTES, "N-GET", _("done; some attributes asked for are not there")),
        (status.PENDING, "C-FIND, C-MOVE, C-GET", _("an answer, or how far we are")),
        (status.PENDING_OPEN, "C-FIND", _("an answer; some optional keys are not supported")),
        (status.CANCELLED, "C-FIND, C-MOVE, C-GET", _("ended by a C-CANCEL")),
        (status.OUT_OF_RESOURCES, "C-FIND", _("more matches than one answer may hold")),
        (
            status.COERCED,
            "C-STORE",
            _("stored; a rule for the device shows it otherwise than sent"),
        ),
        (status.SUBOPERATIONS_WARNED, "C-MOVE, C-GET", _("some sub-operations failed or warned")),
        (status.SUBOPERATIONS_FAILED, "C-MOVE, C-GET", _("no sub-operation could be done")),
    )
    return Table(
        (_("Status"), _("Services"), _("Meaning")),
        tuple((status_of(code), where, what) for code, where, what in rows),
    )


def _first_line(kind: type[Exception]) -> str:
    return (kind.__doc__ or kind.__name__).splitlines()[0]


def _right(field: str) -> str:
    return str(cast("Any", Device._meta.get_field(field)).verbose_name)


def _yes(it_is: bool) -> str:
    return _("yes") if it_is else _("no")
