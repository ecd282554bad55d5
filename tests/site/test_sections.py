"""Every field of a configured model is in the site file, or named here with the reason."""

from typing import Any

import pytest
from django.db import models

from apps.site.configuration.sections import SECTIONS, Section

# What is not configuration: state, secrets and Django's own.
STATE = {
    "Issuer": {"next_number"},
    "User": {
        "password",
        "last_login",
        "date_joined",
        "must_change_password",
        "is_superuser",
        "is_staff",
        "user_permissions",
    },
    "Device": {"last_seen_at", "echoed_at", "echo_result"},
    "HangingProtocol": {"owner"},  # nobody: people's own are theirs
}


def every_section() -> list[Section]:
    return [*SECTIONS, *(one.children for one in SECTIONS if one.children)]


@pytest.mark.parametrize("section", every_section(), ids=lambda one: one.name)
def test_every_field_is_configuration_or_state(section: Section) -> None:
    fields: list[Any] = [
        *section.model._meta.concrete_fields,
        *section.model._meta.many_to_many,
    ]
    names = {one.name for one in fields if not (one.primary_key or _automatic(one))}
    state = STATE.get(section.model.__name__, set())
    assert names - state - {section.parent_field} == set(section.words.values())


def _automatic(field: Any) -> bool:
    stamped = isinstance(field, models.DateTimeField) and (field.auto_now or field.auto_now_add)
    return stamped or (not field.editable)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda one: one.name)
def test_the_key_of_a_section_is_unique_in_the_database(section: Section) -> None:
    key = {section.words[word] for word in section.key}
    unique = [{one.name} for one in section.model._meta.concrete_fields if one.unique]
    unique += [
        set(one.fields) | _named_in(one)
        for one in section.model._meta.constraints
        if isinstance(one, models.UniqueConstraint) and one.condition is None
    ]
    assert key | set(section.only) in [one | set(section.only) for one in unique]


def _named_in(constraint: models.UniqueConstraint) -> set[str]:
    """Fields in the expressions of a constraint, such as Coalesce("owner", 0)."""
    expressions: Any = constraint.expressions
    inner: list[list[Any]] = [getattr(one, "get_source_expressions", list)() for one in expressions]
    parts = [part for found in ([*expressions], *inner) for part in found]
    return {str(vars(part)["name"]) for part in parts if isinstance(part, models.F)}
