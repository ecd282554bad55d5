"""Who may do what: the table, own rows, and what is shown of it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from apps.accounts.models import Role, User
from apps.accounts.policy import Action, Noun, can, noun_of, rights_of, visible
from apps.orders.models import Order
from apps.patients.models import Patient
from tests.factories import OrderFactory, PatientFactory, ReferrerFactory, make_user

pytestmark = pytest.mark.django_db


def test_there_is_a_group_for_every_role() -> None:
    assert set(Role.values) <= set(Group.objects.values_list("name", flat=True))


@pytest.mark.parametrize("role", Role.values)
def test_nobody_rewrites_the_journal(role: str) -> None:
    user = make_user(role)
    for action in (Action.CREATE, Action.CHANGE, Action.DELETE):
        assert not can(user, action, Noun.JOURNAL)


def test_a_system_administrator_sees_no_patients(user_of: Callable[[str], User]) -> None:
    PatientFactory()
    admin = user_of("system-administrator")
    assert not can(admin, Action.VIEW, Noun.PATIENT)
    assert not visible(admin, Patient).exists()


def test_only_radiologists_sign() -> None:
    signers = [role for role in Role if can(make_user(role), Action.SIGN, Noun.REPORT)]
    assert signers == [Role.RADIOLOGIST]


def test_a_superuser_flag_opens_nothing() -> None:
    user = make_user(is_superuser=True, is_staff=True)
    assert not any(can(user, action, noun) for action in Action for noun in Noun)


def test_an_account_that_is_switched_off_may_nothing() -> None:
    user = make_user("radiologist", is_active=False)
    assert not can(user, Action.VIEW, Noun.PATIENT)


def test_a_stranger_may_nothing() -> None:
    assert not can(AnonymousUser(), Action.VIEW, Noun.PATIENT)
    assert not visible(AnonymousUser(), Patient).exists()


def test_two_roles_add_up() -> None:
    user = make_user("referrer")
    assert not can(user, Action.SIGN, Noun.REPORT)
    user.groups.add(Group.objects.get(name="radiologist"))
    assert can(User.objects.get(pk=user.pk), Action.SIGN, Noun.REPORT)


def test_a_referrer_sees_own_orders_and_patients_only() -> None:
    user = make_user("referrer")
    own = OrderFactory(referrer=ReferrerFactory(user=user))
    foreign = OrderFactory()
    assert list(visible(user, Order)) == [own]
    assert list(visible(user, Patient)) == [own.patient]
    assert can(user, Action.VIEW, own)
    assert not can(user, Action.VIEW, foreign)


def test_a_technologist_receives_patients_and_books_nothing() -> None:
    technologist = make_user("technologist")
    assert can(technologist, Action.CHANGE, Noun.APPOINTMENT)
    assert not can(technologist, Action.CREATE, Noun.APPOINTMENT)


def test_a_model_says_its_noun() -> None:
    assert noun_of(Order) is Noun.ORDER
    assert noun_of(User) is Noun.USER


def test_the_rights_of_a_role_can_be_read() -> None:
    assert "Report: view, create, change, sign" in rights_of(Role.RADIOLOGIST)
    assert "Patient: view (own only)" in rights_of(Role.REFERRER)
