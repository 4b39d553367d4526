"""The laboratory: one platform, some devices, the firmware that the build made."""
import os
import pathlib
import sqlite3
import threading

from . import board
from .board import BoardDevice
from .device import SLOT_BYTES, WATCHDOG_MS, Device
from .platform import Platform
from .process import LabError

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Lab:
    vendor = "pawl.example"

    def __init__(self, folder, build=None, ports=None):
        self.folder = pathlib.Path(folder)
        self.build = pathlib.Path(build or os.environ.get("PAWL_BUILD") or ROOT / "build" / "release")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.platform = Platform(self.folder, self.build, ports)
        self.devices = {}
        self._releases = {}
        self._anchors = {}
        self._signing = threading.Lock()  # each release is made once, whoever asks first

    def start(self, **platform):
        self.platform.configure(**platform)
        self.platform.start()
        self.platform.login()
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for device in self.devices.values():
            device.kill()
        if self.platform.child and self.platform.child.running:
            try:
                self.platform.stop()
            except LabError:
                self.platform.kill()

    # --- firmware and releases ---

    def firmware(self, name, device_class="virtual-1"):
        """The image that the build made for this version, e.g. 2.1.0 or 2.2.1-hangs."""
        if device_class == board.CLASS:
            return board.firmware(name)
        path = self.build / "firmware" / f"pawl-firmware-{name}"
        if not path.exists():
            raise LabError(f"{path} is missing: build the target pawl-firmware-{name}")
        return path

    def make_class(self, name="virtual-1", **extra):
        options = {"slot-bytes": SLOT_BYTES, "watchdog-s": WATCHDOG_MS // 1000, "max-trial-budget-s": 60, "patience-s": 20, **extra}
        flat = [x for key, value in options.items() for x in (f"--{key}", value)]
        self.platform.cli("class", "create", name, "--vendor", self.vendor, *flat)

    def anchors(self, name):
        if name not in self._anchors:
            path = self.folder / f"{name}.anchors"
            self.platform.cli("class", "anchors", name, "--out", path)
            self._anchors[name] = path
        return self._anchors[name]

    def release(self, firmware, device_class="virtual-1", version=None, image=None, **options):
        """Uploads a firmware and has it signed; the release as the API shows it."""
        key = (firmware, device_class, version, image, tuple(sorted(options.items())))
        flat = [x for name, value in {"trial_budget_s": 30, **options}.items() for x in (f"--{name.replace('_', '-')}", value)]
        with self._signing:
            if key not in self._releases:
                self._releases[key] = self.platform.cli_json(
                    "release", "create", "--class", device_class, "--version", version or firmware.split("-")[0],
                    image or self.firmware(firmware, device_class), *flat, "--wait")
            return self._releases[key]

    def factory_release(self, firmware, device_class):
        release = self.release(firmware, device_class)
        path = self.folder / f"{release['id']}.envelope"
        if not path.exists():
            self.platform.cli("release", "envelope", release["id"], "--out", path)
        return path

    # --- devices ---

    def add_device(self, name, device_class="virtual-1", firmware="1.0.0", power=True, **agent):
        device = Device(self, name, device_class, **agent)
        self.devices[name] = device
        device.make(firmware)
        device.enrol()
        if power:
            device.power_on()
        return device

    def add_board(self, name, firmware="1.0.0", **agent):
        """A board behind a gateway, enrolled and running."""
        device = self.devices[name] = BoardDevice(self, name, **agent)
        device.make(firmware)
        device.enrol()
        return device.power_on()

    def campaign(self, name, release, devices, **options):
        """Creates a campaign over these devices; its id."""
        chosen = [x for d in devices for x in ("--device", d.name)]
        return self.platform.cli_json("campaign", "create", "--name", name, "--release", release["id"], *chosen)["id"]

    # --- what an attacker with the platform's disk could do ---

    def tamper(self, sql, *parameters):
        """Writes into the platform's database behind its back."""
        with sqlite3.connect(self.platform.data / "pawl.db", timeout=10) as connection:
            changed = connection.execute(sql, parameters).rowcount
        connection.close()
        if changed < 1:
            raise LabError(f"nothing to tamper with: {sql}")

    def artifact_path(self, digest):
        return self.platform.data / "artifacts" / "sha-256" / digest[:2] / digest[2:]
