"""Searching, registering and looking at patients."""

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from django.views.generic import DetailView, FormView, ListView

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.patients import services
from apps.patients.forms import PatientForm, RegistrationForm
from apps.patients.models import Patient
from apps.patients.querysets import PatientQuerySet

SEARCH = "patient_search"  # kept in the session: a name never stands in a URL


class PatientList(ListView[Patient]):
    """What was searched for, or who was registered last."""

    template_name = "patients/patient_list.html"
    context_object_name = "patients"
    paginate_by = 50

    @property
    def text(self) -> str:
        searched = "found" in self.request.GET or self.request.method == "POST"
        return str(self.request.session.get(SEARCH, "")) if searched else ""

    def get_queryset(self) -> QuerySet[Patient]:
        patients = _current(self.request)
        return patients.matching(self.text) if self.text else patients.order_by("-id")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Search; a scanned number that fits one patient opens that patient."""
        text = request.POST.get("q", "").strip()[:200]
        request.session[SEARCH] = text
        exact = list(_current(request).numbered(text)[:2]) if text else []
        if len(exact) == 1:
            return redirect("patients:detail", exact[0].pk)
        found = f"{reverse('patients:list')}?found=1"
        return HttpResponseRedirect(found if text else reverse("patients:list"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        create = can(self.request.user, Action.CREATE, Noun.PATIENT)
        return super().get_context_data(text=self.text, may_create=create, **kwargs)


class PatientCreate(FormView[RegistrationForm]):
    template_name = "patients/patient_form.html"
    form_class = RegistrationForm

    def form_valid(self, form: RegistrationForm) -> HttpResponse:
        candidates = _candidates(form)
        if any(one.strong for one in candidates) and not form.cleaned_data["confirmed"]:
            form.add_error(None, _("Registered already? Open that patient, or tick the box."))
            return self.form_invalid(form)
        try:
            patient = services.register_patient(
                form.details, identifiers=form.identifiers, origin=origin_of(self.request)
            )
        except services.PatientInvalid as refusal:
            form.refuse(refusal)
        except services.IdentifierTaken as refusal:
            form.add_error("identifier_value", str(refusal))
        else:
            after = "worklist:order-create" if "order" in self.request.POST else "patients:detail"
            return redirect(after, patient.pk)
        return self.form_invalid(form)

    def form_invalid(self, form: RegistrationForm) -> HttpResponse:
        context = self.get_context_data(form=form, candidates=_candidates(form))
        return self.render_to_response(context)


class PatientUpdate(FormView[PatientForm]):
    template_name = "patients/patient_form.html"
    form_class = PatientForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.patient = get_object_or_404(_current(request), pk=kwargs["pk"])

    def get_initial(self) -> dict[str, Any]:
        return PatientForm.initial_of(self.patient)

    def form_valid(self, form: PatientForm) -> HttpResponse:
        origin = origin_of(self.request)
        try:
            services.update_patient(self.patient, details=form.details, origin=origin)
        except services.PatientInvalid as refusal:
            form.refuse(refusal)
            return self.form_invalid(form)
        return redirect("patients:detail", self.patient.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(patient=self.patient, **kwargs)


class PatientDetail(DetailView[Patient]):
    """One patient; orders and studies come as fragments from their rooms."""

    template_name = "patients/patient_detail.html"
    context_object_name = "patient"

    def get_queryset(self) -> QuerySet[Patient]:
        rows = visible(self.request.user, Patient).select_related("merged_into")
        return rows.prefetch_related("identifiers__issuer")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().get(request, *args, **kwargs)
        services.note_viewing(self.object, origin=origin_of(request))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        merged = self.object.status == Patient.Status.MERGED
        return super().get_context_data(
            may_change=can(user, Action.CHANGE, Noun.PATIENT) and not merged,
            may_order=can(user, Action.CREATE, Noun.ORDER) and not merged,
            may_see_orders=can(user, Action.VIEW, Noun.ORDER),
            may_see_studies=can(user, Action.VIEW, Noun.STUDY),
            **kwargs,
        )


@require_POST
def duplicates(request: HttpRequest) -> HttpResponse:
    """Who may be the same person as the one being typed (a fragment)."""
    form = RegistrationForm(request.POST)
    form.is_valid()
    context = {"candidates": _candidates(form), "form": form}
    return render(request, "patients/fragments/duplicates.html", context)


def _candidates(form: RegistrationForm) -> list[services.Candidate]:
    return services.ranked_duplicates(form.details, identifiers=form.identifiers)


def _current(request: HttpRequest) -> PatientQuerySet:
    rows = cast("PatientQuerySet", visible(request.user, Patient))
    return rows.current().for_list()
