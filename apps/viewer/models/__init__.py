"""What is kept for the viewer: layouts, habits, and the programs beside it."""

from apps.viewer.models.launchers import Launcher
from apps.viewer.models.layouts import HangingProtocol, ViewerPreference

__all__ = ["HangingProtocol", "Launcher", "ViewerPreference"]
