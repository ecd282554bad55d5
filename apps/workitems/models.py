"""Unified procedure steps: work to be claimed by whoever can do it (PS3.4 annex CC)."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.patients.models import Patient
from apps.workitems.querysets import NoticeQuerySet, WorkitemQuerySet
from apps.worklist.models import ScheduledStep

PUSH_SOP_CLASS = "1.2.840.10008.5.1.4.34.6.1"  # of every workitem (PS3.4 CC.3.1)
EVERY_WORKITEM = "1.2.840.10008.5.1.4.34.5"  # the worklist as a whole (PS3.4 CC.3.1.1)
FILTERED_WORKITEMS = "1.2.840.10008.5.1.4.34.5.1"


class Workitem(models.Model):
    """One unified procedure step. The columns are for matching; `attributes` is what it says.

    The transaction UID is the key of whoever has claimed it: only a digest of it is kept,
    and nothing answers it. A workitem with a `step` shows an exam of the department: it
    follows that exam and is changed by nobody else.
    """

    policy_noun = Noun.WORKITEM

    class State(models.TextChoices):
        """Procedure Step State (0074,1000), PS3.4 table CC.1.1-1; the last two are final."""

        SCHEDULED = "SCHEDULED", _("Scheduled")
        IN_PROGRESS = "IN PROGRESS", _("In progress")
        COMPLETED = "COMPLETED", _("Completed")
        CANCELED = "CANCELED", _("Cancelled")

    class Priority(models.TextChoices):
        """Scheduled Procedure Step Priority (0074,1200), PS3.3 C.30.1."""

        HIGH = "HIGH", _("High")
        MEDIUM = "MEDIUM", _("Medium")
        LOW = "LOW", _("Low")

    class Readiness(models.TextChoices):
        """Input Readiness State (0040,4041), PS3.3 C.30.1."""

        INCOMPLETE = "INCOMPLETE", _("Incomplete")
        UNAVAILABLE = "UNAVAILABLE", _("Unavailable")
        READY = "READY", _("Ready")

    sop_instance_uid = models.CharField(_("SOP Instance UID"), max_length=64, unique=True)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.SCHEDULED
    )
    transaction_digest = models.CharField(max_length=64, blank=True, editable=False)
    priority = models.CharField(_("priority"), max_length=16, choices=Priority.choices)
    label = models.CharField(_("label"), max_length=64)
    worklist_label = models.CharField(_("worklist"), max_length=64, blank=True)
    input_readiness = models.CharField(
        _("input readiness"), max_length=16, choices=Readiness.choices
    )
    scheduled_start = models.DateTimeField(_("scheduled start"))
    expected_completion = models.DateTimeField(_("expected completion"), null=True, blank=True)
    expiration = models.DateTimeField(_("expires"), null=True, blank=True)
    patient = models.ForeignKey(
        Patient,
        verbose_name=_("patient"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="workitems",
    )
    patient_name = models.CharField(max_length=300, blank=True, editable=False)  # search form
    patient_number = models.CharField(_("patient number"), max_length=64, blank=True)
    patient_issuer = models.CharField(_("issuer of patient number"), max_length=64, blank=True)
    birth_date = models.DateField(_("date of birth"), null=True, blank=True)
    sex = models.CharField(_("sex"), max_length=16, blank=True)
    admission = models.CharField(_("admission"), max_length=64, blank=True)
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64, blank=True)
    step = models.ForeignKey(
        ScheduledStep,
        verbose_name=_("exam"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="workitems",
    )
    attributes = models.JSONField(_("attributes"), default=dict)  # DICOM JSON
    revision = models.PositiveIntegerField(_("revision"), default=1)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed at"))

    objects = WorkitemQuerySet.as_manager()

    class Meta:
        verbose_name = _("work item")
        verbose_name_plural = _("work items")
        ordering = ("scheduled_start", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A work item has its SOP Instance UID.
            models.CheckConstraint(
                condition=~models.Q(sop_instance_uid=""),
                name="workitem_has_uid",
                violation_error_message=_("A work item needs a SOP Instance UID."),
            ),
            # States are those of the standard.
            models.CheckConstraint(
                condition=models.Q(state__in=["SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"]),
                name="workitem_state_known",
                violation_error_message=_("This is not a state of a work item."),
            ),
            # What is scheduled belongs to nobody yet.
            models.CheckConstraint(
                condition=~models.Q(state="SCHEDULED") | models.Q(transaction_digest=""),
                name="workitem_scheduled_unclaimed",
                violation_error_message=_("A scheduled work item is claimed by nobody."),
            ),
            # What runs is claimed, or is an exam of the department.
            models.CheckConstraint(
                condition=~models.Q(state="IN PROGRESS")
                | ~models.Q(transaction_digest="")
                | models.Q(step__isnull=False),
                name="workitem_in_progress_claimed",
                violation_error_message=_("A work item in progress was claimed by somebody."),
            ),
            # An exam is shown by one open work item.
            models.UniqueConstraint(
                fields=["step"],
                condition=models.Q(state__in=["SCHEDULED", "IN PROGRESS"]),
                name="workitem_one_open_per_step",
                violation_error_message=_("There is an open work item of this exam already."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "scheduled_start"], name="workitem_by_state"),
            models.Index(fields=["scheduled_start"], name="workitem_by_start"),
            models.Index(fields=["expected_completion"], name="workitem_by_completion"),
            models.Index(fields=["expiration"], name="workitem_by_expiration"),
            models.Index(fields=["changed_at"], name="workitem_by_change"),
            models.Index(fields=["priority", "scheduled_start"], name="workitem_by_priority"),
            models.Index(fields=["label"], name="workitem_by_label"),
            models.Index(fields=["worklist_label", "scheduled_start"], name="workitem_by_worklist"),
            models.Index(fields=["input_readiness"], name="workitem_by_readiness"),
            models.Index(fields=["patient_name"], name="workitem_by_name"),
            models.Index(fields=["patient_number"], name="workitem_by_number"),
            models.Index(fields=["birth_date"], name="workitem_by_birth"),
            models.Index(fields=["admission"], name="workitem_by_admission"),
            models.Index(fields=["study_instance_uid"], name="workitem_by_study"),
        ]

    def __str__(self) -> str:
        return self.sop_instance_uid

    @property
    def is_final(self) -> bool:
        return self.state in {self.State.COMPLETED, self.State.CANCELED}


class WorkitemKey(models.Model):
    """One value within a sequence of a workitem, for matching.

    `name` is the path of keywords (`ScheduledStationNameCodeSequence.CodeValue`), `item` the
    number of the item of the outermost sequence.
    """

    workitem = models.ForeignKey(Workitem, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=128)
    item = models.PositiveIntegerField()
    value = models.CharField(max_length=300)

    class Meta:
        verbose_name = _("key of a work item")
        verbose_name_plural = _("keys of work items")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A key without a value finds nothing.
            models.CheckConstraint(
                condition=~models.Q(value=""),
                name="workitem_key_not_empty",
                violation_error_message=_("A key needs a value."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["name", "value"], name="workitem_key_by_value"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


class Subscription(models.Model):
    """Who is told what happens to workitems (PS3.4 CC.2.3).

    `ONE`: this workitem; not `active` where a subscriber to all wants to hear no more of it.
    `ALL` and `FILTERED`: those that there will be, unless suspended since.
    """

    policy_noun = Noun.WORKITEM

    class Scope(models.TextChoices):
        ONE = "one", _("One work item")
        ALL = "all", _("All work items")
        FILTERED = "filtered", _("Those that fit a filter")

    ae_title = models.CharField(_("AE title"), max_length=16)
    scope = models.CharField(_("scope"), max_length=16, choices=Scope.choices)
    workitem = models.ForeignKey(
        Workitem,
        verbose_name=_("work item"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="subscriptions",
    )
    active = models.BooleanField(_("active"), default=True)
    deletion_lock = models.BooleanField(_("deletion lock"), default=False)
    suspended_at = models.DateTimeField(_("suspended at"), null=True, blank=True)
    # Keys as [{"path": [keywords], "values": [texts]}].
    filter = models.JSONField(_("filter"), default=list, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ("ae_title", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A subscription to one work item names it, the others name none.
            models.CheckConstraint(
                condition=models.Q(scope="one", workitem__isnull=False)
                | (~models.Q(scope="one") & models.Q(workitem__isnull=True)),
                name="subscription_names_its_workitem",
                violation_error_message=_("Only a subscription to one work item names it."),
            ),
            # An AE title subscribes to a work item once.
            models.UniqueConstraint(
                fields=["workitem", "ae_title"],
                condition=models.Q(scope="one"),
                name="subscription_once_per_workitem",
                violation_error_message=_("There is such a subscription already."),
            ),
            # And once to all of them, and once to those that fit its filter.
            models.UniqueConstraint(
                fields=["ae_title", "scope"],
                condition=~models.Q(scope="one"),
                name="subscription_once_to_the_worklist",
                violation_error_message=_("There is such a subscription already."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["scope"], name="subscription_by_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.ae_title} ({self.get_scope_display()})"


class WorkitemEvent(models.Model):
    """Something subscribers are told (PS3.4 CC.2.4), in the order of the keys."""

    policy_noun = Noun.WORKITEM

    class Kind(models.IntegerChoices):
        """Event Type ID, PS3.4 table CC.2.4-1."""

        STATE = 1, _("State report")
        CANCEL_REQUESTED = 2, _("Cancellation requested")
        PROGRESS = 3, _("Progress report")
        ASSIGNED = 5, _("Assigned")

    workitem = models.ForeignKey(
        Workitem, verbose_name=_("work item"), on_delete=models.CASCADE, related_name="events"
    )
    kind = models.PositiveSmallIntegerField(_("kind"), choices=Kind.choices)
    report = models.JSONField(_("report"), default=dict)  # DICOM JSON
    at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        verbose_name = _("event of a work item")
        verbose_name_plural = _("events of work items")
        ordering = ("id",)
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["at"], name="workitem_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"


class Notice(models.Model):
    """That a subscriber is to be told of an event, and when that was done."""

    event = models.ForeignKey(WorkitemEvent, on_delete=models.CASCADE, related_name="notices")
    ae_title = models.CharField(_("AE title"), max_length=16)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ("event_id", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Nobody is told the same thing twice.
            models.UniqueConstraint(
                fields=["event", "ae_title"],
                name="notice_once_per_event",
                violation_error_message=_("This subscriber is told of this event already."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["ae_title", "event"],
                condition=models.Q(delivered_at=None),
                name="notice_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ae_title} #{self.event_id}"
