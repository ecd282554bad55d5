"""The viewer in a browser, as somebody uses it: opened, looked at, asked what it shows.

What goes wrong meanwhile (errors on the console, scripts that fail, requests that fail or
leave the host, violations of the policy) is kept in `complaints`.
"""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, Response

from tests.chromium import brightness

WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.effectiveDirective} ${event.blockedURI}`));
"""
# What is shown, told by the viewer's own services.
STATE = """() => {
  const { viewportGridService, displaySetService, segmentationService, measurementService,
    cornerstoneViewportService } = window.services;
  const grid = window.services.viewportGridService.serviceImplementation?._getState
    ? viewportGridService.getState() : { viewports: new Map() };
  const told = (set) => ({
    modality: set.Modality, images: set.numImageFrames ?? set.instances?.length ?? 0,
    handler: set.SOPClassHandlerId?.split(".").pop(), unsupported: Boolean(set.unsupported),
    uid: set.displaySetInstanceUID, messages: set.messages?.messages?.map((one) => one.id) ?? [],
  });
  return {
    viewports: [...grid.viewports.values()].map((one) => {
      const shown = cornerstoneViewportService.getCornerstoneViewport(one.viewportId);
      return {
        type: shown?.type ?? one.viewportOptions?.viewportType ?? "",
        images: shown?.getImageIds?.()?.length ?? shown?.getNumberOfSlices?.() ?? 0,
        index: shown?.getCurrentImageIdIndex?.() ?? 0,
        shows: one.displaySetInstanceUIDs.map(
          (uid) => displaySetService.getDisplaySetByUID(uid)?.Modality),
      };
    }),
    displaySets: displaySetService.getActiveDisplaySets().map(told),
    segmentations: segmentationService.getSegmentations().map((one) => ({
      label: one.label, segments: Object.keys(one.segments).length,
      kinds: Object.keys(one.representationData),
    })),
    measurements: measurementService.getMeasurements().map((one) => one.toolName),
  };
}"""
# Those of cornerstone, of the microscopy viewer and of the waveform viewer, if they are seen.
CANVASES = """() => [...document.querySelectorAll("[data-cy=viewport-pane] canvas")]
  .filter((one) => one.width > 1 && one.offsetParent)
  .map((one) => one.toDataURL("image/png").split(",")[1])"""
VOLUMES = """() => {
  const volumes = window.cornerstone.cache.getVolumes();
  return volumes.length > 0 && volumes.every((one) => one.loadStatus?.loaded ?? true);
}"""
DARK, FLAT = 0.02, 0.5  # grey levels of 255: mean and deviation of what counts as empty
PATIENCE = 120  # seconds; drawing is done by software, often beside other work
OWN = ("data:", "blob:", "chrome:", "chrome-extension:")  # the last two: Chromium's PDF viewer

State = dict[str, Any]


class NotSeen(AssertionError):
    """What should be on the screen is not."""


class Viewer:
    """A browser of somebody who looks at images at a live server."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.complaints: list[str] = []
        context.add_init_script(WATCH_POLICY)
        context.on("console", self._heard)
        context.on("weberror", lambda one: self.complaints.append(f"script: {one.error}"))
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        self.page = context.new_page()

    def open(self, *studies: str, mode: str = "viewer", **query: str) -> None:
        """`mode`: viewer, tmtv, segmentation, microscopy; `query`: hangingProtocolId=..."""
        asked = urlencode({"StudyInstanceUIDs": ",".join(studies), **query})
        self.page.goto(f"{self.address}/viewer/{mode}?{asked}")

    def state(self) -> State:
        found: State = self.page.evaluate(STATE)
        return found

    def pictures(self) -> list[bytes]:
        """What each canvas of the viewports holds, as PNG; drawings over it are not in it."""
        return [base64.b64decode(one) for one in self.page.evaluate(CANVASES)]

    def wait_for_images(self, viewports: int = 1, *, seconds: float = PATIENCE) -> None:
        """Until so many viewports show something; raises NotSeen."""
        self.wait_until(
            lambda: sum(map(is_seen, self.pictures())) >= viewports,
            f"{viewports} viewports with an image",
            seconds=seconds,
        )

    def wait_for_state(
        self, says: Callable[[State], object], what: str, *, seconds: float = PATIENCE
    ) -> State:
        """Until the viewer's services say so; raises NotSeen."""
        self.page.wait_for_function("window.services?.viewportGridService", timeout=1000 * PATIENCE)
        self.wait_until(lambda: says(self.state()), what, seconds=seconds)
        return self.state()

    def wait_until(
        self, is_so: Callable[[], object], what: str, *, seconds: float = PATIENCE
    ) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise NotSeen(f"{what}: not within {seconds:.0f} s")
            self.page.wait_for_timeout(300)

    def show(self, modality: str, *, number: int = 0) -> None:
        """Double-click the series of this modality in the study browser, as one does."""
        thumbnails = "[data-cy^=study-browser-thumbnail]"
        labelled = self.page.locator(thumbnails).filter(has_text=modality)
        labelled.nth(number).wait_for(timeout=1000 * PATIENCE)
        labelled.nth(number).dblclick()

    def command(self, name: str, **options: Any) -> None:
        """Run one of the viewer's commands, as its buttons and keys do."""
        self.page.evaluate(
            "([name, options]) => { window.commandsManager.runCommand(name, options); }",
            [name, options],
        )

    def wait_for_volumes(self, *, seconds: float = PATIENCE) -> None:
        """Until every slice of every volume is loaded; raises NotSeen."""
        self.wait_until(lambda: self.page.evaluate(VOLUMES), "whole volumes", seconds=seconds)

    def answer_yes(self, *, seconds: float = 30) -> None:
        """To the question whether what was opened is to be loaded."""
        self.page.get_by_role("button", name="Yes").first.click(timeout=1000 * seconds)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(f"console: {said.text[:300]}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", *OWN)):
            self.complaints.append(f"another host: {request.url[:200]}")

    def _failed(self, request: Request) -> None:
        # What is given up because the page goes on to something else has not failed.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url[-200:]} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url[-200:]}")


@contextmanager
def viewing(browser: Browser, address: str, session: str) -> Iterator[Viewer]:
    """A viewer of its own for somebody who is signed in; gone at the end."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
    try:
        yield Viewer(context, address)
    finally:
        context.close()


def is_seen(picture: bytes) -> bool:
    """Not of one colour, and not black."""
    mean, deviation = brightness(picture)
    return mean > DARK and deviation > FLAT


def modalities(state: State) -> Sequence[str]:
    return [one["modality"] for one in state["displaySets"]]
