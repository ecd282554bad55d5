"""Patients and the numbers others know them by."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun
from apps.patients.querysets import PatientQuerySet


class Issuer(models.Model):
    """Whoever gives out numbers (HL7 HD, DICOM Issuer of Patient ID), for patients or orders.

    An issuer with `mints` set is ours: `services.issue_number` takes the next number from
    it, atomically, and never gives one out twice.
    """

    policy_noun = Noun.CATALOGUE

    class Purpose(models.TextChoices):
        PATIENT = "patient", _("Patient identifiers")
        ACCESSION = "accession", _("Accession numbers")

    namespace = models.CharField(_("namespace"), max_length=64)
    universal_id = models.CharField(_("universal ID"), max_length=64, blank=True)
    universal_id_type = models.CharField(_("universal ID type"), max_length=16, blank=True)
    purpose = models.CharField(_("purpose"), max_length=16, choices=Purpose.choices)
    mints = models.BooleanField(_("we give out its numbers"), default=False)
    prefix = models.CharField(_("prefix"), max_length=8, blank=True)
    width = models.PositiveSmallIntegerField(_("digits"), default=7)
    next_number = models.PositiveBigIntegerField(_("next number"), default=1)

    class Meta:
        verbose_name = _("issuer of numbers")
        verbose_name_plural = _("issuers of numbers")
        ordering = ("purpose", "namespace")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # One issuer per namespace and purpose.
            models.UniqueConstraint(
                fields=["purpose", "namespace"],
                name="issuer_named_once",
                violation_error_message=_(
                    "There is an issuer of this name for this purpose already."
                ),
            ),
            # We give out numbers of one patient and one accession series only.
            models.UniqueConstraint(
                fields=["purpose"],
                condition=models.Q(mints=True),
                name="issuer_minting_once_per_purpose",
                violation_error_message=_(
                    "Another issuer gives out our numbers for this purpose already."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.namespace


class Patient(models.Model):
    """A person examined here. Names by component (DICOM PN, PS3.5 6.2.1.1), once per script."""

    policy_noun = Noun.PATIENT

    class Sex(models.TextChoices):
        FEMALE = "F", _("Female")
        MALE = "M", _("Male")
        OTHER = "O", _("Other")
        UNKNOWN = "", _("Unknown")

    class Pregnancy(models.TextChoices):
        """Pregnancy Status (0010,21C0), PS3.3 C.2.4; empty: nobody has asked."""

        NO = "1", _("Not pregnant")
        POSSIBLY = "2", _("Possibly pregnant")
        YES = "3", _("Pregnant")
        UNKNOWN = "4", _("Asked, not known")

    class Precision(models.TextChoices):
        """How much of the date of birth is known."""

        DAY = "day", _("Day")
        MONTH = "month", _("Month only")
        YEAR = "year", _("Year only")

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        TEMPORARY = "temporary", _("Temporary identity")
        MERGED = "merged", _("Merged into another")
        DECEASED = "deceased", _("Deceased")

    family_name = models.CharField(_("family name"), max_length=64)
    given_name = models.CharField(_("given name"), max_length=64, blank=True)
    middle_name = models.CharField(_("middle name"), max_length=64, blank=True)
    name_prefix = models.CharField(_("name prefix"), max_length=32, blank=True)
    name_suffix = models.CharField(_("name suffix"), max_length=32, blank=True)
    ideographic_name = models.CharField(
        _("name in native script"),
        max_length=64,
        blank=True,
        help_text=_("Family^given, as the person writes it."),
    )
    phonetic_name = models.CharField(_("phonetic name"), max_length=64, blank=True)
    # Upper case without accents, all scripts in one line: what searches run against.
    search_name = models.CharField(max_length=300, editable=False)
    birth_date = models.DateField(
        _("date of birth"),
        null=True,
        blank=True,
        help_text=_("First day of the month or year where only that is known."),
    )
    birth_precision = models.CharField(
        _("date of birth known to"), max_length=8, choices=Precision.choices, blank=True
    )
    sex = models.CharField(_("sex"), max_length=1, choices=Sex.choices, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    address = models.TextField(_("address"), blank=True)
    language = models.CharField(_("language"), max_length=16, blank=True)
    medical_alerts = models.CharField(_("medical alerts"), max_length=64, blank=True)
    allergies = models.CharField(_("allergies"), max_length=64, blank=True)
    weight_kg = models.DecimalField(
        _("weight in kg"), max_digits=4, decimal_places=1, null=True, blank=True
    )
    height_cm = models.PositiveSmallIntegerField(_("height in cm"), null=True, blank=True)
    pregnancy = models.CharField(
        _("pregnancy"), max_length=1, choices=Pregnancy.choices, blank=True
    )
    special_needs = models.CharField(
        _("special needs"),
        max_length=64,
        blank=True,
        help_text=_("Wheelchair, interpreter, hearing aid; devices show it on the worklist."),
    )
    confidentiality = models.CharField(
        _("confidentiality"),
        max_length=64,
        blank=True,
        help_text=_("A constraint that everybody has to know, as devices show it."),
    )
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.ACTIVE
    )
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PatientQuerySet.as_manager()

    class Meta:
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        ordering = ("search_name", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A date of birth says how much of it is known, and only a date says so.
            models.CheckConstraint(
                condition=models.Q(birth_date__isnull=True, birth_precision="")
                | (models.Q(birth_date__isnull=False) & ~models.Q(birth_precision="")),
                name="patient_birth_date_has_precision",
                violation_error_message=_(
                    "A date of birth needs to say how exactly it is known, and nothing else may."
                ),
            ),
            # A merged patient points at its survivor, and no other patient does.
            models.CheckConstraint(
                condition=models.Q(status="merged", merged_into__isnull=False)
                | (~models.Q(status="merged") & models.Q(merged_into__isnull=True)),
                name="patient_merged_has_survivor",
                violation_error_message=_(
                    "A merged patient needs the patient who remains, and only a merged one has one."
                ),
            ),
            # A patient is not merged into itself.
            models.CheckConstraint(
                condition=~models.Q(merged_into=models.F("id")),
                name="patient_not_merged_into_itself",
                violation_error_message=_("A patient cannot be merged into the same patient."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["search_name", "id"], name="patient_by_name"),
            # The beginning of a name (possible duplicates); see study_by_patient_name.
            models.Index(
                fields=["search_name"],
                name="patient_by_name_prefix",
                opclasses=["text_pattern_ops"],
            ),
            models.Index(fields=["birth_date"], name="patient_by_birth_date"),
            models.Index(fields=["phone"], name="patient_by_phone"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name as written on a page: `FAMILY, Given Middle`."""
        given = " ".join(part for part in (self.given_name, self.middle_name) if part)
        return f"{self.family_name}, {given}" if given else self.family_name

    @property
    def survivor(self) -> "Patient":
        """Who remains of a patient that was merged, and perhaps merged again."""
        found, seen = self, {self.pk}
        while found.merged_into is not None and found.merged_into.pk not in seen:
            found = found.merged_into
            seen.add(found.pk)
        return found

    @property
    def native_name(self) -> str:
        """The name in native script, as written on a page: without the separators of a PN."""
        return " ".join(self.ideographic_name.replace("^", " ").split())

    @property
    def person_name(self) -> str:
        """The name as a DICOM PN with its alphabetic, ideographic and phonetic groups."""
        parts = [
            self.family_name,
            self.given_name,
            self.middle_name,
            self.name_prefix,
            self.name_suffix,
        ]
        groups = [
            "^".join(parts).rstrip("^"),
            self.ideographic_name,
            self.phonetic_name,
        ]
        return "=".join(groups).rstrip("=")

    @property
    def display_birth_date(self) -> str:
        """The date of birth to its known precision: `1980`, `1980-05`, `1980-05-17` or empty."""
        if self.birth_date is None:
            return ""
        known = {"day": 10, "month": 7, "year": 4}[self.birth_precision]
        return self.birth_date.isoformat()[:known]

    @property
    def age(self) -> str:
        """Whole years on this day (`45 y`), months below two years (`7 m`), or empty."""
        if self.birth_date is None:
            return ""
        today = timezone.localdate()
        months = (today.year - self.birth_date.year) * 12 + today.month - self.birth_date.month
        months -= today.day < self.birth_date.day
        if months < 24:
            return gettext("%(months)s m") % {"months": max(months, 0)}
        return gettext("%(years)s y") % {"years": months // 12}

    @property
    def primary_identifier(self) -> "PatientIdentifier | None":
        """The number shown first: the preferred one, else the oldest. Uses the prefetch."""
        found = sorted(self.identifiers.all(), key=lambda one: (not one.preferred, one.pk))
        return found[0] if found else None


class PatientIdentifier(models.Model):
    """One number of a patient, with whoever issued it."""

    policy_noun = Noun.PATIENT

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="identifiers")
    issuer = models.ForeignKey(Issuer, verbose_name=_("issuer"), on_delete=models.PROTECT)
    value = models.CharField(_("identifier"), max_length=64)
    type_code = models.CharField(
        _("type"),
        max_length=8,
        default="MR",
        help_text=_("HL7 table 0203: MR, NI, PPN ..."),
    )
    preferred = models.BooleanField(_("shown first"), default=False)

    class Meta:
        verbose_name = _("patient identifier")
        verbose_name_plural = _("patient identifiers")
        ordering = ("-preferred", "id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # An issuer gives a number to one patient only.
            models.UniqueConstraint(
                fields=["issuer", "value"],
                name="identifier_unique_per_issuer",
                violation_error_message=_(
                    "Another patient has this number of this issuer already."
                ),
            ),
            # A patient has one number that is shown first.
            models.UniqueConstraint(
                fields=["patient"],
                condition=models.Q(preferred=True),
                name="identifier_preferred_once",
                violation_error_message=_("A patient has only one number that is shown first."),
            ),
            # A number is not empty.
            models.CheckConstraint(
                condition=~models.Q(value=""),
                name="identifier_not_empty",
                violation_error_message=_("A patient number cannot be empty."),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["value"], name="identifier_by_value"),
        ]

    def __str__(self) -> str:
        return self.value
