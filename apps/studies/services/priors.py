"""Earlier and other studies of a patient, the ones that a reader wants to compare first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.body_parts import regions
from apps.studies.models import Series, Study
from apps.studies.services.same_patient import of_patient_of, of_person

MOST = 100  # the newest of a patient who has more studies
# What is made of images says nothing about how they were made.
_DERIVED = frozenset({"SR", "PR", "KO", "SEG", "DOC", "OT", "RTSTRUCT", "RWV", "REG", "FID"})


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A study of the same patient, and what it has in common with the one being read."""

    study: Study
    same_body_part: bool
    same_modality: bool

    @property
    def is_relevant(self) -> bool:
        return self.same_body_part

    @property
    def reason(self) -> str:
        """Why it stands where it stands, for a page; empty where nothing is common."""
        if self.same_body_part and self.same_modality:
            return _("Same body part and modality")
        if self.same_body_part:
            return _("Same body part")
        return _("Same modality") if self.same_modality else ""

    @property
    def rank(self) -> tuple[int, int, int]:
        """Relevant first, newest first."""
        grade = 2 * self.same_body_part + self.same_modality
        day = (self.study.study_date or date.min).toordinal()
        return (-grade, -day, -self.study.pk)


def relevant_priors(study: Study, *, among: QuerySet[Study]) -> list[Prior]:
    """Other studies of the patient of a study, those to be compared first on top.

    `among`: the studies that the asker may see. The same body part and modality come first,
    then the same body part, then the same modality, newest first in each.
    """
    rows = among.filter(of_patient_of(study)).exclude(pk=study.pk)
    own = with_parts(Study.everything.filter(pk=study.pk)).get()
    return _ranked(rows, parts=parts_of(own), modalities=modalities_of(own))


def priors_of_patient(
    patient: Patient,
    *,
    among: QuerySet[Study],
    like: Iterable[Study],
    asked: Iterable[RequestedProcedure],
) -> list[Prior]:
    """As relevant_priors, for an exam that has several studies (`like`) or none yet.

    `like` is loaded `with_parts`; `asked`, with their procedures, say what an exam without
    images is about.
    """
    own, procedures = list(like), [one.procedure for one in asked]
    parts = set().union(*map(parts_of, own)) or regions(
        text for one in procedures for text in (one.body_part, one.meaning)
    )
    modalities = set().union(*map(modalities_of, own)) or {one.modality for one in procedures}
    rows = among.filter(of_person(patient)).exclude(pk__in=[one.pk for one in own])
    return _ranked(rows, parts=parts, modalities=modalities)


def with_parts(rows: QuerySet[Study]) -> QuerySet[Study]:
    """Studies with the columns that say what they are about, in two queries more."""
    series = Series.objects.only("study_id", "body_part").order_by()
    asked = RequestedProcedure.objects.select_related("procedure").order_by()
    return rows.prefetch_related(Prefetch("series", series), Prefetch("procedures", asked))


def parts_of(study: Study) -> set[str]:
    """Regions of the body: as the series say, else as procedures and descriptions do."""
    said = regions(one.body_part for one in study.series.all())
    if said:
        return said
    procedures = [one.procedure for one in study.procedures.all()]
    catalogue = regions(one.body_part for one in procedures)
    words = [text for one in procedures for text in (one.code, one.meaning)]
    return catalogue or regions([*words, study.description])


def modalities_of(study: Study) -> set[str]:
    """How its images were made."""
    return set(study.modality_list) - _DERIVED


def _ranked(rows: QuerySet[Study], *, parts: set[str], modalities: set[str]) -> list[Prior]:
    found = with_parts(rows.order_by("-study_date", "-id"))[:MOST]
    priors = [
        Prior(
            study=one,
            same_body_part=bool(parts & parts_of(one)),
            same_modality=bool(modalities & modalities_of(one)),
        )
        for one in found
    ]
    return sorted(priors, key=lambda prior: prior.rank)
