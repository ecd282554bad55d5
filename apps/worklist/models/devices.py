"""Devices: who may call us or be called, and what each may do."""

from collections.abc import Callable
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.dicom.uids import valid_uid
from apps.scheduling.models import Resource
from apps.worklist.conditions import WAITING
from apps.worklist.querysets import DeviceQuerySet

SHORTEST_NAME = 8  # characters: less would be nobody's name


class Device(models.Model):
    """An application entity that may call us or be called: modality, workstation, archive."""

    policy_noun = Noun.DEVICE

    name = models.CharField(_("name"), max_length=64)
    ae_title = models.CharField(_("AE title"), max_length=16, unique=True)
    host = models.CharField(_("host"), max_length=253, blank=True)
    port = models.PositiveIntegerField(_("port"), default=104)
    modality = models.CharField(_("modality"), max_length=16, blank=True)
    station_name = models.CharField(_("station name"), max_length=16, blank=True)
    resource = models.ForeignKey(
        Resource,
        verbose_name=_("room"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="devices",
    )
    character_set = models.CharField(
        _("character set of answers"),
        max_length=64,
        default="ISO_IR 192",
        help_text=_("DICOM Specific Character Set (0008,0005) the device can read."),
    )
    active = models.BooleanField(_("may connect"), default=True)
    check_address = models.BooleanField(
        _("only from its host"),
        default=False,
        help_text=_("Refuse this AE title when it calls from another address."),
    )
    may_store = models.BooleanField(_("may send images"), default=True)
    may_query = models.BooleanField(_("may query"), default=False)
    may_retrieve = models.BooleanField(_("may retrieve images"), default=False)
    may_read_worklist = models.BooleanField(_("may read the worklist"), default=True)
    may_report_steps = models.BooleanField(_("may report MPPS"), default=True)
    may_receive = models.BooleanField(
        _("may be sent images"),
        default=False,
        help_text=_("A destination of C-MOVE, of forwarding and of the send buttons."),
    )
    only_own_steps = models.BooleanField(
        _("sees only its own worklist items"),
        default=False,
        help_text=_("Otherwise a device sees what it asks for."),
    )
    only_own_modality = models.BooleanField(
        _("sees its own modality unless it asks for another"),
        default=False,
        help_text=_("For devices that ask for everything."),
    )
    hidden_statuses = models.JSONField(
        _("steps it is not shown"),
        default=list,
        blank=True,
        help_text=_("Statuses of scheduled steps, beside those no worklist shows."),
    )
    group = models.CharField(
        _("AE group"),
        max_length=64,
        blank=True,
        help_text=_("Devices of one group share rules, for example all scanners of a maker."),
    )
    # What it can read.
    name_length = models.PositiveSmallIntegerField(
        _("longest name"),
        null=True,
        blank=True,
        help_text=_("Characters of a person name the device can take; empty: no limit."),
    )
    # What it is sent: transfer syntax UIDs, the most wanted first; empty: as stored.
    accepted_syntaxes = models.JSONField(_("transfer syntaxes it takes"), default=list, blank=True)
    preferred_syntax = models.CharField(
        _("compress images sent to it as"),
        max_length=64,
        blank=True,
        help_text=_("A transfer syntax UID; empty: as stored where it takes that."),
    )
    private_classes = models.JSONField(
        _("private SOP classes it may send"), default=list, blank=True
    )
    parallel_associations = models.PositiveSmallIntegerField(
        _("associations for sending to it"),
        default=1,
        help_text=_("Images of one transfer are sent over so many associations at once."),
    )
    retrieve_by_get = models.BooleanField(
        _("is retrieved from by C-GET"),
        default=False,
        help_text=_("Otherwise by C-MOVE: then it has to know our AE title and address."),
    )
    may_commit = models.BooleanField(
        _("confirms storage"),
        default=False,
        help_text=_("It answers storage commitment requests: asked before anything is purged."),
    )
    wants_availability = models.BooleanField(
        _("is told of new studies"),
        default=False,
        help_text=_("By Instance Availability Notification when a study is complete."),
    )
    # How it is connected.
    max_associations = models.PositiveSmallIntegerField(
        _("associations at once"), null=True, blank=True, help_text=_("Empty: no limit of its own.")
    )
    tls = models.BooleanField(
        _("is called over TLS"), default=False, help_text=_("Associations we open to it.")
    )
    require_tls = models.BooleanField(
        _("only over TLS"),
        default=False,
        help_text=_("Refuse this AE title on a connection that is not encrypted."),
    )
    certificate_sha256 = models.CharField(
        _("fingerprint of its certificate"),
        max_length=64,
        blank=True,
        help_text=_("SHA-256 in hexadecimal; the device then has to show this certificate."),
    )
    identity_user = models.CharField(
        _("user name it has to give"),
        max_length=64,
        blank=True,
        help_text=_("User identity negotiation (PS3.7 D.3.3.7); empty: none is asked for."),
    )
    identity_password = models.CharField(
        _("password it has to give"), max_length=128, blank=True, editable=False
    )  # hashed
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    echoed_at = models.DateTimeField(_("last echo test"), null=True, blank=True)
    echo_result = models.CharField(_("result of the echo test"), max_length=200, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An AE title is not empty (PS3.8 9.3.2).
            models.CheckConstraint(
                condition=~models.Q(ae_title=""),
                name="device_has_ae_title",
                violation_error_message=_("A device needs an AE title."),
            ),
            # A TCP port.
            models.CheckConstraint(
                condition=models.Q(port__gte=1, port__lte=65535),
                name="device_port_in_range",
                violation_error_message=_("A port is a number from 1 to 65535."),
            ),
            # A device that is checked by address has one.
            models.CheckConstraint(
                condition=models.Q(check_address=False) | ~models.Q(host=""),
                name="device_checked_has_host",
                violation_error_message=_("A device whose address is checked needs a host."),
            ),
            # At least one association, and no flood of them.
            models.CheckConstraint(
                condition=models.Q(parallel_associations__gte=1, parallel_associations__lte=8),
                name="device_parallel_in_range",
                violation_error_message=_("Images are sent over 1 to 8 associations at once."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"

    def clean(self) -> None:
        """Refuse a profile that contradicts itself; every contradiction at its field."""
        self.identity_password = self.identity_password if self.identity_user else ""
        found: dict[str, list[Promise]] = {}
        for field, message, contradicts in CONTRADICTIONS:
            if contradicts(self):
                found.setdefault(field, []).append(message)
        if found:
            raise ValidationError(found)


def _is_called(device: Device) -> bool:
    return device.may_receive or device.may_commit or device.wants_availability


# (field, what to say, when): what a profile must not say at once.
CONTRADICTIONS: tuple[tuple[str, Promise, Callable[[Device], bool]], ...] = (
    (
        "host",
        _("A device that is sent something or asked something needs a host."),
        lambda one: _is_called(one) and not one.host,
    ),
    (
        "preferred_syntax",
        _("It does not take this transfer syntax: add it to those it takes, or leave it empty."),
        lambda one: (
            bool(one.preferred_syntax and one.accepted_syntaxes)
            and one.preferred_syntax not in one.accepted_syntaxes
        ),
    ),
    (
        "private_classes",
        _("A SOP class is named by a UID: numbers with dots, at most 64 characters."),
        lambda one: not _are_uids(one.private_classes),
    ),
    (
        "accepted_syntaxes",
        _("A transfer syntax is named by a UID: numbers with dots, at most 64 characters."),
        lambda one: not _are_uids(one.accepted_syntaxes),
    ),
    (
        "preferred_syntax",
        _("A transfer syntax is named by a UID: numbers with dots, at most 64 characters."),
        lambda one: bool(one.preferred_syntax) and not _are_uids([one.preferred_syntax]),
    ),
    (
        "hidden_statuses",
        _("Steps that wait are SCHEDULED, ARRIVED or READY."),
        lambda one: not set(one.hidden_statuses) <= set(WAITING),
    ),
    (
        "hidden_statuses",
        _("A device that may read the worklist is shown steps of some status."),
        lambda one: one.may_read_worklist and set(WAITING) <= set(one.hidden_statuses),
    ),
    (
        "only_own_modality",
        _("Say which modality the device is."),
        lambda one: one.only_own_modality and not one.modality,
    ),
    (
        "certificate_sha256",
        _("A certificate is only seen over TLS: tick “only over TLS” too."),
        lambda one: bool(one.certificate_sha256) and not one.require_tls,
    ),
    (
        "certificate_sha256",
        _("A SHA-256 fingerprint has 64 hexadecimal digits."),
        lambda one: bool(one.certificate_sha256) and not _is_fingerprint(one.certificate_sha256),
    ),
    (
        "name_length",
        _("A name needs at least 8 characters."),
        lambda one: one.name_length is not None and one.name_length < SHORTEST_NAME,
    ),
    (
        "max_associations",
        _("A device that may connect needs at least one association."),
        lambda one: one.max_associations == 0,
    ),
)


def _are_uids(texts: list[str]) -> bool:
    return all(valid_uid(text) for text in texts)


def _is_fingerprint(text: str) -> bool:
    return len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
