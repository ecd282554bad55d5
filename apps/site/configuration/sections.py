"""What is in a site file: one table, from which reading, writing and checking follow.

A word of the file stands for a model field; how a value is read and written follows from
the field's type (`values`). Fields not named here are no configuration (counters, what
was last seen, secrets); tests/site/test_sections.py holds every model to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.db import models

from apps.accounts.models import User
from apps.hl7.models import Partner
from apps.orders.models import Procedure, Referrer
from apps.patients.models import Issuer
from apps.reports.models import ReportTemplate
from apps.scheduling.models import OpeningHours, Resource
from apps.viewer.models import HangingProtocol, Launcher
from apps.worklist.models import Device


@dataclass(frozen=True, kw_only=True)
class Section:
    """A list of rows in the file; `key` holds the words that name a row.

    `only`: of the model's rows those with these values belong to the department.
    """

    name: str
    model: type[models.Model]
    key: tuple[str, ...]
    words: Mapping[str, str]  # word of the file -> model field
    children: "Section | None" = None
    only: Mapping[str, object] = field(default_factory=dict)
    parent_field: str = ""  # of a list inside a row: its foreign key to the row

    def field(self, word: str) -> "models.Field[object, object]":
        """The model field a word stands for."""
        found: Any = self.model._meta.get_field(self.words[word])
        field: models.Field[object, object] = found
        return field

    @property
    def known_words(self) -> tuple[str, ...]:
        """Every word a row may hold, in the order in which it is written."""
        return (*self.words, self.children.name) if self.children else tuple(self.words)


def _as_named(*names: str) -> dict[str, str]:
    return {name: name for name in names}


OPENING_HOURS = Section(
    name="opening_hours",
    model=OpeningHours,
    key=("weekday", "opens", "closes"),
    words=_as_named("weekday", "opens", "closes"),
    parent_field="resource",
)

# In the order in which rows may name one another: a section names rows of those above it.
SECTIONS: tuple[Section, ...] = (
    Section(
        name="issuers",
        model=Issuer,
        key=("purpose", "namespace"),
        words=_as_named(
            "purpose",
            "namespace",
            "universal_id",
            "universal_id_type",
            "mints",
            "prefix",
            "width",
        ),
    ),
    Section(
        name="users",
        model=User,
        key=("username",),
        words={
            "username": "username",
            "title": "title",
            "given_name": "first_name",
            "family_name": "last_name",
            "email": "email",
            "roles": "groups",
            "active": "is_active",
        },
    ),
    Section(
        name="procedures",
        model=Procedure,
        key=("scheme", "code"),
        words=_as_named(
            "scheme",
            "code",
            "meaning",
            "modality",
            "body_part",
            "duration_minutes",
            "preparation",
            "contrast_agent",
            "protocol_code",
            "protocol_meaning",
            "active",
        ),
    ),
    Section(
        name="referrers",
        model=Referrer,
        key=("code",),
        words=_as_named("code", "title", "given_name", "family_name", "phone", "email", "user"),
    ),
    Section(
        name="rooms",
        model=Resource,
        key=("name",),
        words=_as_named("name", "location", "modality", "procedures", "active"),
        children=OPENING_HOURS,
    ),
    Section(
        name="devices",
        model=Device,
        key=("ae_title",),
        words={
            "ae_title": "ae_title",
            "name": "name",
            "host": "host",
            "port": "port",
            "modality": "modality",
            "station_name": "station_name",
            "room": "resource",
            "character_set": "character_set",
            "active": "active",
            "check_address": "check_address",
            "may_store": "may_store",
            "may_query": "may_query",
            "may_retrieve": "may_retrieve",
            "may_read_worklist": "may_read_worklist",
            "may_report_steps": "may_report_steps",
            "may_receive": "may_receive",
            "may_commit": "may_commit",
            "wants_availability": "wants_availability",
            "retrieve_by_get": "retrieve_by_get",
            "only_own_steps": "only_own_steps",
            "only_own_modality": "only_own_modality",
            "hidden_statuses": "hidden_statuses",
            "group": "group",
            "name_length": "name_length",
            "accepted_syntaxes": "accepted_syntaxes",
            "preferred_syntax": "preferred_syntax",
            "private_classes": "private_classes",
            "parallel_associations": "parallel_associations",
            "max_associations": "max_associations",
            "tls": "tls",
            "require_tls": "require_tls",
            "certificate_sha256": "certificate_sha256",
            "identity_user": "identity_user",
        },
    ),
    Section(
        name="hl7_partners",
        model=Partner,
        key=("name",),
        words=_as_named(
            "name",
            "application",
            "facility",
            "address",
            "host",
            "port",
            "may_send_patients",
            "may_send_orders",
            "receives_results",
            "patient_issuer",
            "character_set",
            "time_zone",
            "active",
        ),
    ),
    Section(
        name="report_templates",
        model=ReportTemplate,
        key=("name",),
        words=_as_named(
            "name",
            "modality",
            "procedures",
            "technique",
            "findings",
            "impression",
            "active",
        ),
    ),
    Section(
        name="desk_viewers",
        model=Launcher,
        key=("name",),
        words={
            "name": "name",
            "address": "template",
            "offered": "active",
            "position": "position",
        },
    ),
    Section(
        name="layouts",
        model=HangingProtocol,
        key=("name",),
        only={"owner": None},  # people's own are no configuration
        words={
            "name": "name",
            "modality": "modality",
            "body_part": "body_part",
            "procedure": "procedure",
            "default": "is_default",
            "active": "active",
            "layout": "layout",
        },
    ),
)

# The fields by which other rows name one of these: `99OPACS/CTHEAD`, `radiologist`.
REFERENCE_KEYS: dict[type[models.Model], tuple[str, ...]] = {
    Group: ("name",),
    **{one.model: tuple(one.words[word] for word in one.key) for one in SECTIONS},
}


def reference_name(row: models.Model) -> str:
    """How the file names a row: its key fields, joined by slashes."""
    return "/".join(str(getattr(row, name)) for name in REFERENCE_KEYS[type(row)])
