"""A microcontroller behind a gateway: the virt board under QEMU, and the gateway's `pawl-agent` for it. The gateway holds
the child's key and certificate, and reaches it over a unix socket that stands for the serial line."""
import dataclasses
import os
import pathlib
import re

from . import forging
from .device import Device
from .flash_images import VIRT
from .process import Child, LabError
from .virt import VirtMachine

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLASS = "virt-1"
SLOT_BYTES = VIRT.slot_bytes
SECTOR_BYTES = VIRT.sector_bytes
WATCHDOG_MS = 2000
CLASS_OPTIONS = {"slot-bytes": SLOT_BYTES, "watchdog-s": WATCHDOG_MS // 1000}
GATEWAY = "gw-lab"
FRAMES = re.compile(r"[^\0]*[^\0\n -~]")


def built(name):
    """A file of the board's build."""
    path = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt") / name
    if not path.exists():
        raise LabError(f"{path} is missing: run ./test, or cmake --preset virt && cmake --build --preset virt")
    return path


def firmware(name):
    """The image that the build made for this version, e.g. 2.1.0 or 2.2.1-hangs."""
    return built(f"firmware/pawl-bare-{name}.bin")


class BoardDevice(Device):
    """`folder` is the gateway's for this child (rom/ and data/); `machine` is the gateway's agent, `board` the child."""

    def __init__(self, lab, name, **agent):
        super().__init__(lab, name, CLASS, serial=f"unix:{lab.folder / 'boards' / name / 'serial'}", via=GATEWAY, **agent)
        self.board = None

    # --- the factory ---

    def make(self, firmware="1.0.0", release=None):
        """Writes ROM and flash of the child, and what the gateway must know of its ROM."""
        anchors, identity = self.lab.anchors(CLASS).read_bytes(), forging.rom_identity(CLASS)
        self.board = VirtMachine(self.lab.folder / "boards" / self.name, built("bin/pawl-boot.bin"), anchors, identity, WATCHDOG_MS)
        envelope = (release or self.lab.factory_release(firmware, CLASS)).read_bytes()
        self.board.nor.write_slot("A", self.lab.firmware(firmware, CLASS).read_bytes(), envelope)
        rom = self.folder / "rom"
        rom.mkdir(parents=True, exist_ok=True)
        (rom / "anchors.cbor").write_bytes(anchors)
        (rom / "identity.cbor").write_bytes(identity)
        self.configure()
        return self

    # --- power ---

    def power_on(self):
        self.board.power_on()
        return self.start_gateway()

    def power_off(self):
        self.board.power_off()

    def cut_power(self):
        """Power of the child fails and returns at once."""
        self.board.power_on()

    def start_gateway(self):
        self.machine = Child(f"gateway of {self.name}", [self.bin / "pawl-agent", "run", "--dir", self.folder],
                             self.folder / "gateway.log").start()
        return self

    def kill_gateway(self):
        """kill -9."""
        self.machine.kill()

    def kill(self):
        if self.machine:
            self.machine.kill()
        if self.board:
            self.board.power_off()

    # --- what it is now ---

    def status(self):
        return {"state": self.record()}

    def record(self):
        record = self.board.nor.record()
        if record is None:
            raise LabError(f"{self.name} has no boot record; it printed last:\n{self.serial[-1500:]}")
        return dataclasses.asdict(record)

    @property
    def serial(self):
        """What bootloader and firmware printed, without the frames between: those end with a zero, and hold what is no text."""
        return FRAMES.sub("", self.board.text()).replace("\0", "")

    @property
    def gateway_log(self):
        return self.machine.log.read_text(errors="replace") if self.machine and self.machine.log.exists() else ""
