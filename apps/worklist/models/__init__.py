"""Devices, what they are to do and did, and what they asked."""

from apps.worklist.models.devices import Device
from apps.worklist.models.queries import WorklistQuery
from apps.worklist.models.steps import PerformedStep, ScheduledStep

__all__ = ["Device", "PerformedStep", "ScheduledStep", "WorklistQuery"]
