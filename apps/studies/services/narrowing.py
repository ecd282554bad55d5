"""What somebody looks for on the studies page, as conditions, and which an index answers.

Nothing here may cost more because the archive is larger. So a condition says, where it can,
which studies an index finds for it (`keys`); where these are few, only they are looked at,
and where they are many or no index helps, the list is walked in bounded steps (listing.py).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache, reduce
from operator import and_, or_
from typing import Any

from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from apps.dicom.lookups import Wildcard
from apps.dicom.names import search_form
from apps.dicom.uids import valid_uid
from apps.studies.models import Series, Study, StudyLabel

WORDS = 8  # of a name that count
TRIGRAM = 3  # characters from which PostgreSQL's index inside names helps


@dataclass(frozen=True)
class Wanted:
    """What narrows the list of studies; what is empty does not."""

    q: str = ""  # name, number, accession number or UID
    name: str = ""
    number: str = ""
    accession: str = ""
    description: str = ""
    station: str = ""
    referrer: str = ""
    modality: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    match: str = ""  # as on a study, or `open`
    status: str = ""
    label: tuple[str, ...] = ()  # names; any of them

    @property
    def days(self) -> Q:
        """The days of the studies, as a condition."""
        asked = Q(study_date__gte=self.since) if self.since else Q()
        return asked & Q(study_date__lte=self.until) if self.until else asked


@dataclass(frozen=True)
class Term:
    """One condition. `keys`: the studies an index finds for it, None where none does.

    Where not `complete`, more than the index finds may be meant: names that hold a word in
    the middle, say.
    """

    whole: Q
    keys: QuerySet[Any, Any] | None = None
    complete: bool = True


def terms(wanted: Wanted) -> list[Term]:
    """The conditions but for the days, those first that usually name the fewest studies."""
    return [make(value) for field, make in _MAKERS if (value := getattr(wanted, field))]


def by_days(wanted: Wanted) -> Term:
    """The days as a condition, for a list that is not in their order."""
    return _exactly(wanted.days)


def indexed(near: Q, whole: Q, *, complete: bool = True) -> Term:
    """A condition that an index answers as `near`: all of it or, not `complete`, a part."""
    keys = Study.everything.filter(near).order_by().values_list("pk", flat=True)
    return Term(whole, keys, complete)


def _exactly(condition: Q) -> Term:
    return indexed(condition, condition)


def beginning(columns: Iterable[str], spellings: Iterable[str]) -> tuple[Q, Q]:
    """Values that begin so, as typed or in capitals; `*` and `?` as in DICOM.

    Twice: as an index answers it, and so that none is used for it. A walk in another order
    would be led astray by an index that names half of the archive.
    """
    patterns = [made for one in spellings for made in _patterns(one)]
    pairs = [(column, pattern) for column in columns for pattern in patterns]
    near = (Q(**{f"{column}__wildcard": pattern}) for column, pattern in pairs)
    plain = (Q(Wildcard(Coalesce(F(column), Value("")), pattern)) for column, pattern in pairs)
    return reduce(or_, near), reduce(or_, plain)


def _patterns(typed: str) -> list[str]:
    pattern = typed.strip() + ("" if typed.rstrip().endswith("*") else "*")
    return list(dict.fromkeys((pattern, pattern.upper())))


@cache
def looks_inside_names() -> bool:
    """Has this database an index of what stands inside names (migration 0002)?"""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('study_inside_patient_name') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def _anything(typed: str) -> Term:
    text = typed.strip()
    if "." in text and valid_uid(text):
        return _exactly(Q(study_instance_uid=text))
    near, plain = beginning(("patient_identifier", "accession_number"), [text])
    names = _name(text)
    if names is None:
        return indexed(near, plain)
    # With a figure in it, it is a number: nobody looks for that in the middle of a name.
    complete = names.complete or bool(re.search(r"\d", text))
    said = names.near if complete else names.whole
    return indexed(names.near | near, said | plain, complete=complete)


def _by_name(typed: str) -> Term:
    names = _name(typed)
    if names is None:
        return _exactly(Q(pk__in=()))
    return indexed(names.near, names.whole, complete=names.complete)


def _by(column: str) -> "_Maker":
    return lambda typed: indexed(*beginning([column], [typed]))


@dataclass(frozen=True)
class _Names:
    near: Q
    whole: Q
    complete: bool


def _name(typed: str) -> _Names | None:
    """Names that hold all words; None where nothing is left of what was typed."""
    words = search_form(re.sub(r"[*?]", " ", typed)).split()[:WORDS]
    if not words:
        return None
    whole = reduce(and_, (Q(patient_search_name__contains=word) for word in words))
    if looks_inside_names() and max(map(len, words)) >= TRIGRAM:
        return _Names(whole, whole, complete=True)
    # Any of the words may be the family name, which names begin with.
    leading = (Q(patient_search_name__wildcard=f"{word}*") & whole for word in words)
    return _Names(reduce(or_, leading), whole, complete=False)


def _referrer(typed: str) -> Term:
    text = typed.strip().replace(", ", "^").replace(",", "^")
    spellings = {one for made in (text, text.title()) for one in (made, made.replace(" ", "^"))}
    near, plain = beginning(["referring_physician"], sorted(spellings))
    words = re.findall(r"[^\s^]+", text)
    inside = reduce(and_, (Q(referring_physician__icontains=word) for word in words), Q())
    return indexed(near, plain | inside, complete=False)


def _station(typed: str) -> Term:
    near, plain = beginning(["station_name"], [typed])
    series = Series.objects.order_by()
    return Term(
        whole=_has(series.filter(plain)),
        keys=series.filter(near).values_list("study_id", flat=True),
    )


def _label(names: tuple[str, ...]) -> Term:
    borne = StudyLabel.objects.order_by().filter(label__name__in=names)
    return Term(
        whole=_has(borne),
        keys=borne.values_list("study_id", flat=True),
    )


def _has(rows: QuerySet[Any, Any]) -> Q:
    """A study that one of these rows belongs to, looked up study by study.

    Not EXISTS: PostgreSQL would make a join of it, and may read all rows first.
    """
    found = Subquery(rows.filter(study=OuterRef("pk")).values("pk")[:1])
    return Q(IsNull(found, False))


def _description(typed: str) -> Term:
    words = typed.split()[:WORDS]
    return Term(reduce(and_, (Q(description__icontains=word) for word in words), Q()))


def _modalities(asked: tuple[str, ...]) -> Term:
    return Term(reduce(or_, (Q(modalities__contains=f"\\{one.upper()}\\") for one in asked)))


def _match(state: str) -> Term:
    if state == "matched":
        return Term(Q(match=state))
    rows = Study.everything.without_order("" if state == "open" else state)
    whole = ~Q(match="matched") if state == "open" else Q(match=state)
    return Term(whole, rows.order_by().values_list("pk", flat=True))


def _status(state: str) -> Term:
    few = state == Study.Status.RECEIVING  # the others are most
    return _exactly(Q(status=state)) if few else Term(Q(status=state))


_Maker = Callable[[Any], Term]
_MAKERS: tuple[tuple[str, _Maker], ...] = (
    ("accession", _by("accession_number")),
    ("number", _by("patient_identifier")),
    ("q", _anything),
    ("name", _by_name),
    ("match", _match),
    ("status", _status),
    ("label", _label),
    ("station", _station),
    ("referrer", _referrer),
    ("description", _description),
    ("modality", _modalities),
)


def whole(asked: Iterable[Term]) -> Q:
    """All conditions together."""
    return reduce(and_, (term.whole for term in asked), Q())
