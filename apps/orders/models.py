"""The catalogue, orders (imaging service requests) and the procedures they ask for."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.orders.querysets import OrderQuerySet, ProcedureQuerySet
from apps.patients.models import Issuer, Patient


class Procedure(models.Model):
    """A line of the procedure catalogue: what can be ordered."""

    policy_noun = Noun.CATALOGUE

    code = models.CharField(_("code"), max_length=16)
    scheme = models.CharField(_("coding scheme"), max_length=16, default="99OPACS")
    meaning = models.CharField(_("name"), max_length=64)
    modality = models.CharField(_("modality"), max_length=16)
    body_part = models.CharField(_("body part"), max_length=16, blank=True)
    duration_minutes = models.PositiveSmallIntegerField(_("duration in minutes"), default=30)
    preparation = models.TextField(_("preparation for the patient"), blank=True)
    contrast_agent = models.CharField(_("contrast agent"), max_length=64, blank=True)
    protocol_code = models.CharField(_("protocol code"), max_length=16, blank=True)
    protocol_meaning = models.CharField(_("protocol"), max_length=64, blank=True)
    active = models.BooleanField(_("can be ordered"), default=True)

    objects = ProcedureQuerySet.as_manager()

    class Meta:
        verbose_name = _("procedure")
        verbose_name_plural = _("procedure catalogue")
        ordering = ("meaning", "code")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A code means one thing within its scheme.
            models.UniqueConstraint(
                fields=["scheme", "code"],
                name="procedure_code_unique_in_scheme",
                violation_error_message=_(
                    "There is a procedure with this code in this scheme already."
                ),
            ),
            # An exam takes time.
            models.CheckConstraint(
                condition=models.Q(duration_minutes__gt=0),
                name="procedure_takes_time",
                violation_error_message=_("A procedure takes at least one minute."),
            ),
        ]

    def __str__(self) -> str:
        return self.meaning


class Referrer(models.Model):
    """Who asks for exams and gets the results; with a login, sees only own patients."""

    policy_noun = Noun.CATALOGUE

    code = models.CharField(_("code"), max_length=32, unique=True)
    family_name = models.CharField(_("family name"), max_length=64)
    given_name = models.CharField(_("given name"), max_length=64, blank=True)
    title = models.CharField(_("title"), max_length=32, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("login"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="referrer",
    )

    class Meta:
        verbose_name = _("referrer")
        verbose_name_plural = _("referrers")
        ordering = ("family_name", "given_name", "code")

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.given_name, self.family_name) if part)

    @property
    def person_name(self) -> str:
        """The name as a DICOM PN: family^given^^prefix."""
        return f"{self.family_name}^{self.given_name}^^{self.title}".rstrip("^")


class Order(models.Model):
    """An imaging service request: one accession number, one or more procedures."""

    policy_noun = Noun.ORDER

    class Status(models.TextChoices):
        """ris.md section 3; derived from the steps but for held, cancelled and reported."""

        REQUESTED = "requested", _("Requested")
        SCHEDULED = "scheduled", _("Scheduled")
        IN_PROGRESS = "in-progress", _("In progress")
        PERFORMED = "performed", _("Performed")
        REPORTED = "reported", _("Reported")
        HELD = "held", _("Held")
        CANCELLED = "cancelled", _("Cancelled")
        DISCONTINUED = "discontinued", _("Discontinued")

    class Priority(models.TextChoices):
        """Requested Procedure Priority (0040,1003), most urgent first."""

        STAT = "STAT", _("Stat")
        HIGH = "HIGH", _("High")
        ROUTINE = "ROUTINE", _("Routine")
        MEDIUM = "MEDIUM", _("Medium")
        LOW = "LOW", _("Low")

    patient = models.ForeignKey(
        Patient,
        verbose_name=_("patient"),
        on_delete=models.PROTECT,
        related_name="orders",
    )
    issuer = models.ForeignKey(
        Issuer,
        verbose_name=_("accession issuer"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    # SH: at most 16 characters on the worklist (PS3.5 table 6.2-1).
    accession_number = models.CharField(_("accession number"), max_length=16)
    placer_number = models.CharField(_("placer order number"), max_length=64, blank=True)
    placer_namespace = models.CharField(_("placer namespace"), max_length=64, blank=True)
    filler_number = models.CharField(_("filler order number"), max_length=64, blank=True)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.REQUESTED
    )
    priority = models.CharField(
        _("priority"), max_length=8, choices=Priority.choices, default=Priority.ROUTINE
    )
    referrer = models.ForeignKey(
        Referrer,
        verbose_name=_("referrer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
    )
    reason = models.TextField(_("reason for the exam"), blank=True)
    clinical_information = models.TextField(_("clinical information"), blank=True)
    visit_number = models.CharField(_("visit number"), max_length=64, blank=True)
    patient_class = models.CharField(_("patient class"), max_length=8, blank=True)
    patient_location = models.CharField(_("patient location"), max_length=64, blank=True)
    patient_state = models.CharField(
        _("state of the patient"),
        max_length=64,
        blank=True,
        help_text=_("Unconscious, disoriented, infectious; devices show it on the worklist."),
    )
    transport = models.CharField(
        _("transport"), max_length=64, blank=True, help_text=_("How the patient comes and goes.")
    )
    cancel_reason = models.CharField(_("reason of cancelling"), max_length=200, blank=True)
    requested_at = models.DateTimeField(_("requested at"))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-requested_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An accession number is given out once by its issuer.
            models.UniqueConstraint(
                fields=["issuer", "accession_number"],
                name="order_accession_unique_per_issuer",
                violation_error_message=_("There is an order with this accession number already."),
            ),
            # A placer's number names one order of that placer.
            models.UniqueConstraint(
                fields=["placer_namespace", "placer_number"],
                condition=~models.Q(placer_number=""),
                name="order_placer_number_unique",
                violation_error_message=_(
                    "There is an order with this number of the placer already."
                ),
            ),
            # An order has an accession number.
            models.CheckConstraint(
                condition=~models.Q(accession_number=""),
                name="order_has_accession",
                violation_error_message=_("An order needs an accession number."),
            ),
            # A cancelled order says why.
            models.CheckConstraint(
                condition=~models.Q(status="cancelled") | ~models.Q(cancel_reason=""),
                name="order_cancelled_with_reason",
                violation_error_message=_("A cancelled order needs a reason."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["accession_number"], name="order_by_accession"),
            models.Index(fields=["status", "-requested_at"], name="order_by_status"),
        ]

    def __str__(self) -> str:
        return self.accession_number


class RequestedProcedure(models.Model):
    """One procedure asked for by an order. Its Study Instance UID is minted at once."""

    policy_noun = Noun.ORDER

    order = models.ForeignKey(
        Order,
        verbose_name=_("order"),
        on_delete=models.CASCADE,
        related_name="procedures",
    )
    procedure = models.ForeignKey(
        Procedure,
        verbose_name=_("procedure"),
        on_delete=models.PROTECT,
        related_name="+",
    )
    identifier = models.CharField(_("requested procedure ID"), max_length=16, unique=True)
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64, unique=True)
    # Copied when ordered: the catalogue may change, what was asked for may not.
    code = models.CharField(_("code"), max_length=16)
    scheme = models.CharField(_("coding scheme"), max_length=16)
    meaning = models.CharField(_("name"), max_length=64)
    laterality = models.CharField(_("laterality"), max_length=1, blank=True)

    class Meta:
        verbose_name = _("requested procedure")
        verbose_name_plural = _("requested procedures")
        ordering = ("id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A requested procedure has its Study Instance UID from the start.
            models.CheckConstraint(
                condition=~models.Q(study_instance_uid=""),
                name="requested_procedure_has_study_uid",
                violation_error_message=_("A requested procedure needs a Study Instance UID."),
            ),
        ]

    def __str__(self) -> str:
        return self.meaning
