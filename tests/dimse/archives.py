"""DCMTK's dcmqrscp as another archive."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from tests.servers import free_port
from tests.waiting import wait_for_port

QUIET = {**os.environ, "TCP_NODELAY": "1"}
CONFIG = """NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
{hosts}
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
FAR {folder} RW (200, 1024mb) ANY
AETable END
"""


@dataclass
class Archive:
    """A folder of images, and the program that answers for it while it runs."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, *, knows_us_at: int | None) -> None:
        """`knows_us_at`: the port to which it sends OPENPACS images; None: no such title."""
        hosts = f"us = (OPENPACS, 127.0.0.1, {knows_us_at})" if knows_us_at else ""
        config = self.folder.parent / "dcmqrscp.cfg"
        config.write_text(CONFIG.format(port=self.port, hosts=hosts, folder=self.folder))
        self.process = subprocess.Popen(
            ["/usr/bin/dcmqrscp", "-c", str(config)],
            env=QUIET,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None

    def keep(self, *images: Dataset) -> None:
        """Put images into its folder and its index."""
        paths = []
        for number, image in enumerate(images):
            paths.append(self.folder / f"{number}.dcm")
            image.save_as(paths[-1], enforce_file_format=True)
        command = ["/usr/bin/dcmqridx", str(self.folder), *map(str, paths)]
        subprocess.run(command, env=QUIET, check=True, capture_output=True, timeout=30)


def new_archive(folder: Path) -> Archive:
    kept = folder / "FAR"
    kept.mkdir(parents=True)
    return Archive(kept, free_port())
