"""Booking rooms: what is free, and who has it."""

from apps.scheduling.services.appointments import (
    AppointmentClosed,
    BookingRefused,
    OrderNotBookable,
    ReasonMissing,
    ResourceClosed,
    ResourceUnsuitable,
    SlotTaken,
    arrive,
    book,
    cancel,
    fulfil,
    miss,
    move,
)
from apps.scheduling.services.slots import free_slots, next_free, open_spans

__all__ = [
    "AppointmentClosed",
    "BookingRefused",
    "OrderNotBookable",
    "ReasonMissing",
    "ResourceClosed",
    "ResourceUnsuitable",
    "SlotTaken",
    "arrive",
    "book",
    "cancel",
    "free_slots",
    "fulfil",
    "miss",
    "move",
    "next_free",
    "open_spans",
]
