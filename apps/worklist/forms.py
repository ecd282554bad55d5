"""Ordering an exam and giving it a room and a time."""

import datetime
from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.orders.models import Order, Procedure, Referrer
from apps.orders.services import OrderDetails, Request
from apps.scheduling.models import Resource
from apps.scheduling.services import BookingRefused, free_slots
from apps.worklist.models import Device, WorklistQuery
from apps.worklist.services.bookings import Visit

LONGEST_TEXT = 4000  # characters of a reason or of clinical information
# Days outside these are no dates of a department, and the calendar itself ends near them.
EARLIEST, LATEST = datetime.date(1900, 1, 1), datetime.date(9000, 1, 1)
AHEAD = datetime.timedelta(days=5 * 366)  # an appointment later than this is a slip of the hand
LATERALITY = [("", _("Not applicable")), ("L", _("Left")), ("R", _("Right")), ("B", _("Both"))]


class SlotForm(forms.Form):
    """A room among those that suit, a day, and a time of that day."""

    resource = forms.ModelChoiceField(
        label=_("Room"), queryset=Resource.objects.none(), empty_label=None
    )
    day = forms.DateField(
        label=_("Day"),
        widget=forms.DateInput(attrs={"type": "date"}),
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )
    starts_at = forms.DateTimeField(
        label=_("Time"), input_formats=["%Y-%m-%dT%H:%M:%S%z"], required=False
    )
    other_time = forms.TimeField(
        label=_("Another time"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}),
    )
    overbook = forms.BooleanField(
        label=_("Book even if the room is taken or closed"), required=False
    )
    arrived = forms.BooleanField(label=_("The patient is here now (walk-in)"), required=False)

    def __init__(self, *args: Any, procedures: Sequence[Procedure], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.procedures = procedures
        self.alternatives: list[datetime.datetime] = []
        self.rooms = list(Resource.objects.suiting(procedures)) if procedures else []
        room = cast("forms.ModelChoiceField[Resource]", self.fields["resource"])
        room.queryset = Resource.objects.filter(pk__in=[one.pk for one in self.rooms])
        room.initial = self.rooms[0].pk if self.rooms else None
        self.fields["day"].initial = timezone.localdate

    @property
    def minutes(self) -> int:
        """How long the catalogue says the procedures take together."""
        return sum(procedure.duration_minutes for procedure in self.procedures)

    @property
    def free_times(self) -> list[datetime.datetime]:
        """What to offer for the room and day that are chosen."""
        room, day = self._chosen("resource"), self._chosen("day")
        if not isinstance(room, Resource) or not isinstance(day, datetime.date):
            return []
        return free_slots(room, day=day, minutes=self.minutes)

    @property
    def chosen_time(self) -> str:
        """The time that is ticked, as the browser sent it."""
        return str(self["starts_at"].value() or "")

    def clean(self) -> dict[str, Any]:
        """One time: the one written, else the one ticked, else now for who is here."""
        data = self.cleaned_data
        if data.get("other_time") and data.get("day"):
            zone = timezone.get_default_timezone()
            written = datetime.datetime.combine(data["day"], data["other_time"], zone)
            data["starts_at"] = written.astimezone(datetime.UTC)
        elif not data.get("starts_at") and data.get("arrived"):
            now = timezone.now()
            data["starts_at"] = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
        elif not data.get("starts_at"):
            self.add_error("starts_at", _("Choose a time."))
        if data.get("starts_at"):
            self._refuse_other_days(data["starts_at"])
        return data

    def _refuse_other_days(self, starts_at: datetime.datetime) -> None:
        """Today may be written down after the fact, yesterday not."""
        now = timezone.localtime()
        if starts_at < now.replace(hour=0, minute=0, second=0, microsecond=0):
            self.add_error("starts_at", _("This day is over."))
        elif starts_at > now + AHEAD:
            self.add_error("starts_at", _("This day is too far ahead."))

    @property
    def visit(self) -> Visit:
        names = ("resource", "starts_at", "overbook", "arrived")
        return Visit(**{name: self.cleaned_data[name] for name in names})

    def refuse(self, refusal: BookingRefused) -> None:
        """Show why the time was refused, and the times offered instead."""
        self.add_error("starts_at", str(refusal))
        # A written time would win over the offered one that is ticked next.
        self.data = {**cast("QueryDict", self.data).dict(), "other_time": ""}
        self.alternatives = getattr(refusal, "alternatives", [])

    def _chosen(self, name: str) -> Any:
        try:
            return self.fields[name].clean(self[name].value())
        except forms.ValidationError:
            return None


class OrderForm(forms.Form):
    """What is asked for, why, how soon and by whom."""

    procedures = forms.ModelMultipleChoiceField(
        label=_("Procedures"),
        queryset=Procedure.objects.orderable(),
        error_messages={"required": _("Choose at least one procedure.")},
    )
    laterality = forms.ChoiceField(label=_("Side"), choices=LATERALITY, required=False)
    priority = forms.ChoiceField(
        label=_("Priority"),
        choices=Order.Priority.choices,
        initial=Order.Priority.ROUTINE.value,
    )
    reason = forms.CharField(
        label=_("Reason for the exam"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=LONGEST_TEXT,
        required=False,
    )
    clinical_information = forms.CharField(
        label=_("Clinical information"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=LONGEST_TEXT,
        required=False,
    )
    patient_state = forms.CharField(
        label=_("State of the patient"),
        max_length=64,
        required=False,
        help_text=_("Unconscious, disoriented, infectious; the scanner shows it."),
    )
    transport = forms.CharField(
        label=_("Transport"),
        max_length=64,
        required=False,
        help_text=_("How the patient comes and goes: walking, chair, bed."),
    )
    referrer = forms.ModelChoiceField(
        label=_("Referrer"),
        queryset=Referrer.objects.all(),
        required=False,
        empty_label=_("None"),
    )

    def __init__(self, *args: Any, own: User | None, **kwargs: Any) -> None:
        """`own`: the referrer who orders, and cannot do so for another."""
        super().__init__(*args, **kwargs)
        if own:
            field = cast("forms.ModelChoiceField[Referrer]", self.fields["referrer"])
            field.queryset = Referrer.objects.filter(user=own)
            field.required, field.initial, field.empty_label = True, field.queryset.first(), None

    @property
    def requests(self) -> list[Request]:
        side = self.cleaned_data["laterality"]
        chosen = self.cleaned_data["procedures"]
        return [Request(procedure=procedure, laterality=side) for procedure in chosen]

    @property
    def details(self) -> OrderDetails:
        names = ("priority", "reason", "clinical_information", "referrer")
        patient = ("patient_state", "transport")
        return OrderDetails(**{name: self.cleaned_data[name] for name in (*names, *patient)})


class ReasonForm(forms.Form):
    """Why something is called off."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        error_messages={"required": _("Say why.")},
    )


class WhyForm(forms.Form):
    """Which device does not show which exam."""

    device = forms.ModelChoiceField(
        label=_("Device"), queryset=Device.objects.all(), empty_label=_("Choose a device")
    )
    number = forms.CharField(
        label=_("Accession number or step ID"),
        max_length=64,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    # Which of its questions; none: the last one.
    query = forms.ModelChoiceField(queryset=WorklistQuery.objects.all(), required=False)
