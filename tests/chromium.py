"""Chromium as the distribution ships it, and what is seen in it; knows nothing of Django."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Playwright

from tests.prepare import find_program

# Without these Chromium looks for its makers at every start.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def open_browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium as the distribution ships it, with software WebGL."""
    program = find_program("chromium")
    arguments = [*QUIET, "--enable-unsafe-swiftshader"]
    browser = playwright.chromium.launch(executable_path=program, args=arguments)
    yield browser
    browser.close()


def brightness(picture: bytes) -> tuple[float, float]:
    """Mean and standard deviation of a PNG's grey levels, 0 to 255."""
    grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=float)
    return float(grey.mean()), float(grey.std())
