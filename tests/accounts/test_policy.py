"""The policy table answers alike for nouns, models and single objects."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser

from apps.accounts.models import User
from apps.accounts.policy import Action, Noun, can, visible
from apps.orders.models import Order
from apps.patients.models import Patient
from tests.factories import OrderFactory, ReferrerFactory


def test_a_radiologist_signs_and_a_resident_does_not(user_of: Callable[[str], User]) -> None:
    assert can(user_of("radiologist"), Action.SIGN, Noun.REPORT)
    assert not can(user_of("resident"), Action.SIGN, Noun.REPORT)


@pytest.mark.django_db
def test_a_stranger_may_do_nothing() -> None:
    assert not any(can(AnonymousUser(), action, noun) for action in Action for noun in Noun)


def test_a_locked_user_may_do_nothing(user_of: Callable[[str], User]) -> None:
    user = user_of("radiologist")
    user.is_active = False
    assert not can(user, Action.VIEW, Noun.STUDY)


def test_a_referrer_sees_only_own_patients_and_orders(user_of: Callable[[str], User]) -> None:
    user = user_of("referrer")
    own = OrderFactory(referrer=ReferrerFactory(user=user))
    foreign = OrderFactory()
    assert list(visible(user, Order)) == [own]
    assert list(visible(user, Patient)) == [own.patient]
    assert can(user, Action.VIEW, own)
    assert not can(user, Action.VIEW, foreign)


def test_system_administration_and_patient_data_are_separate(
    user_of: Callable[[str], User],
) -> None:
    user = user_of("system-administrator")
    OrderFactory()
    assert not visible(user, Patient).exists()
    assert not can(user, Action.VIEW, Noun.STUDY)
    assert can(user, Action.CHANGE, Noun.USER)
