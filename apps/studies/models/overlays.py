"""What is shown otherwise than it was sent, what rules say so, and what came twice."""

import re
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydicom.datadict import dictionary_description, dictionary_VR, keyword_for_tag, tag_for_keyword

from apps.accounts.policy import Noun
from apps.dicom.amending import text_of
from apps.studies.models.index import Instance, Series, Study
from apps.studies.querysets import CorrectionQuerySet
from apps.worklist.models import Device


class Correction(models.Model):
    """One attribute that is shown otherwise than it was sent. The file stays as it is.

    `series` or `instance` narrow it; without them it holds for the whole study, also for
    what is still to come. Rows of one `batch` were made together, for one reason.
    """

    policy_noun = Noun.STUDY

    class Source(models.TextChoices):
        ORDER = "order", _("Matching order")
        RULE = "rule", _("Device rule")
        PERSON = "person", _("Person")
        PATIENT = "patient", _("Patient record")

    study = models.ForeignKey(
        Study, verbose_name=_("study"), on_delete=models.CASCADE, related_name="corrections"
    )
    series = models.ForeignKey(
        Series,
        verbose_name=_("series"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="corrections",
    )
    instance = models.ForeignKey(
        Instance,
        verbose_name=_("instance"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="corrections",
    )
    batch = models.CharField(_("batch"), max_length=32)
    # `00100010`, or `00400275/0/00401001`: tag, item number, tag.
    path = models.CharField(_("attribute"), max_length=64)
    vr = models.CharField(_("VR"), max_length=2)
    # Values as in DICOM JSON (PS3.18 F.2.2); an empty list is an empty attribute, null none.
    old = models.JSONField(_("value before"), null=True, blank=True)
    new = models.JSONField(_("value now"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    source = models.CharField(_("source"), max_length=16, choices=Source.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    at = models.DateTimeField(_("when"), default=timezone.now)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("undone by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A correction says why.
            models.CheckConstraint(
                condition=~models.Q(reason=""),
                name="correction_has_reason",
                violation_error_message=_("A correction needs a reason."),
            ),
            # Only what was undone was undone by somebody.
            models.CheckConstraint(
                condition=models.Q(undone_by=None) | models.Q(undone_at__isnull=False),
                name="correction_undone_has_time",
                violation_error_message=_("A correction that was undone needs the time of it."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.keyword} #{self.pk}"

    @property
    def keyword(self) -> str:
        """What the attribute is called: `PatientName`, or its tag where it has no name."""
        tag = self.path.rpartition("/")[2]
        return keyword_for_tag(int(tag, 16)) or tag

    @property
    def label(self) -> str:
        """`Patient's Name`, for a page."""
        tag = self.path.rpartition("/")[2]
        try:
            return dictionary_description(int(tag, 16))
        except KeyError:
            return tag

    @property
    def can_be_undone(self) -> bool:
        """The UIDs that an object is listed under are no matter of opinion."""
        return self.path not in ("0020000D", "0020000E")

    @property
    def old_text(self) -> str:
        return text_of(self.old)

    @property
    def new_text(self) -> str:
        return text_of(self.new)


class CoercionRule(models.Model):
    """What is always corrected in the objects of a device, or of all devices of a group."""

    policy_noun = Noun.DEVICE

    class Action(models.TextChoices):
        SET = "set", _("Set to the value")
        DEFAULT = "default", _("Set to the value if empty")
        REMOVE = "remove", _("Remove")
        PREFIX = "prefix", _("Put the value in front")
        MAP = "map", _("Replace by the table")
        TRIM = "trim", _("Remove spaces, and zeros that stand alone")
        UPPER = "upper", _("Write in capitals")

    name = models.CharField(_("name"), max_length=64)
    device = models.ForeignKey(
        Device,
        verbose_name=_("device"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="coercion_rules",
    )
    group = models.CharField(
        _("AE group"),
        max_length=64,
        blank=True,
        help_text=_("Instead of a device: all devices of this group."),
    )
    sop_class_uid = models.CharField(
        _("only this SOP class"), max_length=64, blank=True, help_text=_("Empty: all.")
    )
    modality = models.CharField(
        _("only this modality"), max_length=16, blank=True, help_text=_("Empty: all.")
    )
    position = models.PositiveSmallIntegerField(
        _("order"), default=10, help_text=_("Rules with smaller numbers come first.")
    )
    attribute = models.CharField(
        _("attribute"),
        max_length=64,
        help_text=_("Its keyword, such as PatientID, or its tag in eight digits."),
    )
    action = models.CharField(_("what to do"), max_length=16, choices=Action.choices)
    value = models.CharField(_("value"), max_length=324, blank=True)
    table = models.JSONField(
        _("table"),
        default=dict,
        blank=True,
        help_text=_('What is replaced by what: {"ABDO": "ABDOMEN"}.'),
    )
    announce = models.BooleanField(
        _("tell the device"),
        default=False,
        help_text=_("Its C-STORE is answered with B000, coercion of data elements."),
    )
    active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("coercion rule")
        verbose_name_plural = _("coercion rules")
        ordering = ("position", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A rule holds for a device or for a group.
            models.CheckConstraint(
                condition=models.Q(device__isnull=False, group="")
                | (models.Q(device__isnull=True) & ~models.Q(group="")),
                name="coercion_rule_for_device_or_group",
                violation_error_message=_("Choose a device, or name a group of devices."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """The tag in eight hexadecimal digits; empty where there is no such attribute."""
        tag = tag_for_keyword(self.attribute)
        if tag is None and re.fullmatch(r"[0-9A-Fa-f]{8}", self.attribute):
            tag = int(self.attribute, 16)
        return "" if tag is None else f"{tag:08X}"

    @property
    def vr(self) -> str:
        try:
            return dictionary_VR(int(self.path, 16))
        except (KeyError, ValueError):
            return ""


class Conflict(models.Model):
    """An object that came under a known UID with other content, kept aside as it came."""

    policy_noun = Noun.STUDY

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        DROPPED = "dropped", _("First one kept")
        STORED = "stored", _("Both kept")

    sop_instance_uid = models.CharField(_("SOP Instance UID"), max_length=128)
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64)
    # The one that was here first; null where its series belongs to another study.
    instance = models.ForeignKey(
        Instance,
        verbose_name=_("first one"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="conflicts",
    )
    file_name = models.CharField(_("file"), max_length=200, unique=True)
    size = models.PositiveBigIntegerField(_("bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    reason = models.CharField(_("what is wrong"), max_length=200)
    source = models.CharField(_("sent by"), max_length=64, blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.OPEN)
    decision = models.CharField(_("reason of the decision"), max_length=200, blank=True)
    # The SOP Instance UID under which the newcomer was stored.
    stored_as = models.CharField(_("stored as"), max_length=64, blank=True)
    settled_at = models.DateTimeField(_("decided"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        verbose_name = _("conflict")
        verbose_name_plural = _("conflicts")
        ordering = ("-received_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A decision has a reason and a time.
            models.CheckConstraint(
                condition=models.Q(state="open")
                | (models.Q(settled_at__isnull=False) & ~models.Q(decision="")),
                name="conflict_settled_with_reason",
                violation_error_message=_("A decision needs a reason."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["received_at"], condition=models.Q(state="open"), name="conflict_open"
            ),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid
