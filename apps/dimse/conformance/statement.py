"""The statement as a whole, in the order of PS3.2 annex A."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from apps.dicom.deflated import MAX_INFLATED
from apps.dicom.transcoding import ENCODABLE
from apps.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from apps.dimse import identifiers, negotiation, offers, tls
from apps.dimse.conformance.names import uid_name
from apps.dimse.conformance.services import (
    asking_section,
    overview_table,
    served_section,
    storage_annex,
)
from apps.dimse.conformance.structure import Section, Statement, Table
from apps.dimse.device_form import CHARACTER_SETS, SYNTAXES, syntax_name
from apps.dimse.limits import DEFAULT_LIMITS, KIB, MIB, Limits
from apps.dimse.negotiation import Rejection
from apps.worklist.models import Device

# What each limit of the listener means: every field of Limits has a line.
LIMITS = {
    "associate_pdu": _lazy("longest A-ASSOCIATE-RQ"),
    "max_pdu": _lazy("Maximum Length that we announce"),
    "command_set": _lazy("longest command set"),
    "identifier": _lazy("longest identifier or other data set that is not an image"),
    "object": _lazy("longest object"),
    "nesting": _lazy("deepest nesting of sequences"),
    "handshake_seconds": _lazy("time for an A-ASSOCIATE-RQ to arrive"),
    "pdu_seconds": _lazy("time for a PDU to arrive once begun"),
    "object_seconds": _lazy("time for an object to arrive"),
    "idle_seconds": _lazy("time without a request before we abort"),
    "send_seconds": _lazy("time for the peer to take what we send"),
    "linger_seconds": _lazy("time for the peer to hang up"),
    "stop_seconds": _lazy("time for running transfers when the listener is stopped"),
    "indexing_seconds": _lazy("longest wait of a release for indexing"),
    "pending": _lazy("connections without an A-ASSOCIATE-RQ, per process"),
    "associations": _lazy("associations at once"),
    "reserved": _lazy("of these, kept for devices that have none yet"),
    "associations_per_address": _lazy("associations from one address"),
}
_BYTES = frozenset({"associate_pdu", "max_pdu", "command_set", "identifier", "object"})
# What `offers.answer` takes of the roles that a caller proposes (PS3.7 D.3.3.4).
_ROLES = (
    _lazy("storage: SCU, and SCP where a C-GET context is proposed too"),
    _lazy("storage commitment: SCU, and SCP where the device confirms storage"),
)


def conformance_statement(devices: Sequence[Device] | None = None) -> Statement:
    """The statement of this installation; `devices`: say also what is configured for them.

    Devices are counted, not named.
    """
    return Statement(
        _("DICOM conformance statement"),
        (
            _overview(),
            _introduction(),
            _networking(devices),
            _media(),
            _character_sets(),
            _security(),
            Section(
                _("Annexes"),
                parts=(
                    storage_annex(),
                    Section(
                        _("Extensions, specialisations and private attributes"),
                        (_("There are none: no private attribute or SOP class is made."),),
                    ),
                ),
            ),
        ),
    )


def _media() -> Section:
    return Section(
        _("Media interchange"),
        (
            _(
                "Exports are file-sets with a DICOMDIR (PS3.10), as a ZIP archive or the image of "
                "a disc: to burn it is left to others, and no application profile of PS3.11 is "
                "claimed. Objects keep the transfer syntax they are stored in. Media are not read; "
                "their files can be uploaded in the browser."
            ),
        ),
    )


def _overview() -> Section:
    return Section(
        _("Overview"),
        (
            _(
                "openpacs is a radiology information system and an image archive. It stores "
                "images, answers queries, sends images, gives modalities their worklist and takes "
                "their reports on performed steps."
            ),
        ),
        (overview_table(),),
    )


def _introduction() -> Section:
    return Section(
        _("Introduction"),
        (
            _(
                "For those who connect devices or test conformance. Made by `manage.py "
                "conformance` from the tables by which the program works; the page in the back "
                "office says the same for the installation it is on. The order is that of PS3.2 "
                "annex A. DICOMweb and HL7 are in `docs/conformance-web-hl7.md`."
            ),
        ),
    )


def _networking(devices: Sequence[Device] | None) -> Section:
    return Section(
        _("Networking"),
        parts=(
            _model(),
            _policies(),
            _acceptance(),
            served_section(),
            asking_section(),
            _interfaces(),
            _configuration(devices),
        ),
    )


def _model() -> Section:
    return Section(
        _("Implementation model"),
        (
            _(
                "One application entity, %(title)s, serves all services on one port, in several "
                "processes. The same title is used where it calls devices."
            )
            % {"title": settings.OPENPACS_AE_TITLE},
            _(
                "A modality asks for its worklist, reports a performed step, stores images, asks "
                "for storage commitment and ends the step; any of these may be left out, repeated "
                "or come in another order. A study is complete when nothing has come for "
                "%(seconds)d seconds."
            )
            % {"seconds": settings.OPENPACS_STUDY_QUIET_SECONDS},
        ),
    )


def _policies() -> Section:
    rows = (
        (_("Application Context Name"), negotiation.APPLICATION_CONTEXT),
        (_("Implementation Class UID"), IMPLEMENTATION_UID),
        (_("Implementation Version Name"), IMPLEMENTATION_VERSION),
        (_("Maximum Length announced"), _size(DEFAULT_LIMITS.max_pdu)),
        (_("Associations at once, accepted"), str(DEFAULT_LIMITS.associations)),
        (_("Associations at once to one device"), _("1 to 8, by its profile")),
        (_("Asynchronous operations"), _("not supported")),
    )
    return Section(_("Association policies"), (), (Table((_("Policy"), _("Value")), rows),))


def _acceptance() -> Section:
    rejections = {
        name: one for name, one in vars(negotiation).items() if isinstance(one, Rejection)
    }
    rows = tuple(
        (one.text, str(one.result), str(one.source), str(one.reason)) for one in rejections.values()
    )
    columns = (_("Rejected because of"), _("Result"), _("Source"), _("Reason"))
    return Section(
        _("Acceptance of associations"),
        (
            _(
                "The called AE title must be ours, the calling one that of an active device. Its "
                "profile may also ask for its address, TLS, a certificate of its own, and a user "
                "name or user name and passcode (User Identity, PS3.7 D.3.3.7)."
            ),
            _transfer_syntaxes_text(),
            _("Roles that are accepted of the caller: %(roles)s.")
            % {"roles": "; ".join(map(str, _ROLES))},
            _("SOP Class Extended Negotiation is answered for: %(classes)s, and storage.")
            % {"classes": ", ".join(uid_name(uid) for uid in offers.EXTENDED)},
        ),
        (Table(columns, rows), _syntaxes()),
    )


def _transfer_syntaxes_text() -> str:
    return _(
        "Storage takes, of the transfer syntaxes of a context, the first that is not one of "
        "%(less)s, else the first there is: compressed images are kept as they come. Where the "
        "caller gets images by C-GET, an uncompressed one of little endian is taken first. "
        "Refused: %(refused)s. Messages are in %(messages)s, by that preference. Deflated data "
        "sets are looked into up to %(inflated)s."
    ) % {
        "less": ", ".join(sorted(map(uid_name, offers.LESS_WANTED))),
        "refused": ", ".join(sorted(map(uid_name, offers.REFUSED_SYNTAXES))),
        "messages": ", ".join(map(uid_name, identifiers.ENCODINGS)),
        "inflated": _size(MAX_INFLATED),
    }


def _syntaxes() -> Table:
    rows = tuple(
        (
            syntax_name(uid),
            uid,
            _("no") if uid in offers.REFUSED_SYNTAXES else _("yes"),
            _("yes") if uid in ENCODABLE else _("no"),
        )
        for uid in SYNTAXES
    )
    return Table((_("Transfer syntax"), _("UID"), _("Stored"), _("Encoded on sending")), rows)


def _interfaces() -> Section:
    rows = (
        (_("DICOM"), str(settings.OPENPACS_DICOM_PORT)),
        (_("DICOM over TLS"), str(settings.OPENPACS_DICOM_TLS_PORT or _("closed"))),
    )
    text = _("TCP/IP, IPv4 and IPv6, as the host offers them. Nagle's algorithm is switched off.")
    return Section(_("Network interfaces"), (text,), (Table((_("Service"), _("Port")), rows),))


def _configuration(devices: Sequence[Device] | None) -> Section:
    rows = tuple(
        (str(LIMITS[one.name]), _limit(one.name, getattr(DEFAULT_LIMITS, one.name)))
        for one in fields(Limits)
    )
    parts = (_configured(devices),) if devices is not None else ()
    return Section(
        _("Configuration"),
        (
            _(
                "The AE title and the ports are settings of the installation. Each device has a "
                "profile in the back office: rights, address, character set, transfer syntaxes, "
                "TLS."
            ),
        ),
        (Table((_("Limit"), _("Value")), rows),),
        parts,
    )


def _configured(devices: Sequence[Device]) -> Section:
    """Counts of this installation; nobody is named."""
    active = [one for one in devices if one.active]
    told: list[tuple[str, Any]] = [
        (_("Devices that may connect"), len(active)),
        (_("of these, over TLS only"), sum(one.require_tls for one in active)),
        (_("of these, with a user name"), sum(bool(one.identity_user) for one in active)),
        (_("Devices that may be sent images"), sum(one.may_receive for one in active)),
        (
            _("Private SOP classes taken"),
            len({uid for one in active for uid in one.private_classes}),
        ),
    ]
    rows = tuple((text, str(count)) for text, count in told)
    return Section(_("This installation"), (), (Table((_("What"), _("Count")), rows),))


def _character_sets() -> Section:
    rows = tuple((str(name), term) for term, name in CHARACTER_SETS)
    return Section(
        _("Support of character sets"),
        (
            _(
                "Every Specific Character Set of PS3.3 C.12.1.1.2 is read. Answers are written in "
                "the set of the device's profile; characters it lacks lose their accents or "
                "become “?”, and of a name the groups that cannot be written are left out, the "
                "alphabetic one never."
            ),
        ),
        (Table((_("Characters"), _("Defined term")), rows),),
    )


def _security() -> Section:
    return Section(
        _("Security"),
        (
            _(
                "TLS 1.2 and 1.3 (PS3.15 B.12) on a port of its own; of TLS 1.2 the suites "
                "%(suites)s. Certificates of clients: %(clients)s. A device may be tied to one "
                "certificate, and be refused without TLS. Certificates are renewed without a "
                "restart."
            )
            % {"suites": tls.CIPHERS, "clients": settings.OPENPACS_DICOM_TLS_CLIENTS},
            _(
                "What devices ask, store and are shown is in the journal, without names of "
                "patients; its rows do not change and are sealed in a chain."
            ),
        ),
    )


def _limit(name: str, value: float) -> str:
    if name in _BYTES:
        return _size(int(value))
    return _("%g s") % value if name.endswith("_seconds") else str(value)


def _size(count: int) -> str:
    return f"{count // MIB} MiB" if count >= MIB else f"{count // KIB} KiB"
