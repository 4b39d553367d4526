"""What the factory writes into a board's memories, by docs/spec/boot.md: the virt board's ROM data, and images with
their envelopes in slots."""
import hashlib
import struct
import zlib

from . import boot_record
from .process import LabError

TRAILER_BYTES = 8192


class Layout:
    """Where things lie in the file that stands for a board's NOR flash."""

    def __init__(self, file_bytes, sector_bytes, record, slots, slot_bytes):
        self.file_bytes = file_bytes
        self.sector_bytes = sector_bytes  # of the record; its two sectors start at `record`
        self.record = record
        self.slots = slots
        self.slot_bytes = slot_bytes


VIRT = Layout(file_bytes=64 << 20, sector_bytes=256 << 10, record=0, slots={"A": 0x100000, "B": 0x900000}, slot_bytes=8 << 20)
VIRT_ROM_BYTES = 64 << 20
VIRT_ROM_DATA = 0x100000


def virt_rom_data(anchors, identity, watchdog_ms):
    """What lies at VIRT_ROM_DATA of the ROM."""
    if len(anchors) > 4096 or len(identity) > 4096:
        raise LabError("anchors and identity take 4096 bytes each at most")
    header = struct.pack("<8sIII", b"PWROM1", watchdog_ms, len(anchors), len(identity))
    header += hashlib.sha256(anchors).digest() + hashlib.sha256(identity).digest()
    header += struct.pack("<I", zlib.crc32(header))
    return header.ljust(4096, b"\xff") + anchors.ljust(4096, b"\xff") + identity.ljust(4096, b"\xff")


def make_virt_rom(path, bootloader, anchors, identity, watchdog_ms):
    if len(bootloader) > VIRT_ROM_DATA:
        raise LabError("the bootloader does not fit before the ROM data")
    with open(path, "wb") as rom:
        rom.truncate(VIRT_ROM_BYTES)
        rom.write(bootloader)
        rom.seek(VIRT_ROM_DATA)
        rom.write(virt_rom_data(anchors, identity, watchdog_ms))


class NorFile:
    """The file behind a board's NOR flash. Not to be written while a machine runs on it."""

    def __init__(self, path, layout=VIRT):
        self.path = path
        self.layout = layout

    def make_blank(self):
        """Erased where anything looks: record and slots; the rest stays a hole."""
        with open(self.path, "wb") as nor:
            nor.truncate(self.layout.file_bytes)
        self.write_record(None)
        for slot in self.layout.slots:
            self.erase_slot(slot)
        return self

    def read(self, offset, size):
        with open(self.path, "rb") as nor:
            nor.seek(offset)
            return nor.read(size)

    def write(self, offset, data):
        with open(self.path, "r+b") as nor:
            nor.seek(offset)
            nor.write(data)

    def erase_slot(self, slot):
        self.write(self.layout.slots[slot], b"\xff" * self.layout.slot_bytes)

    def write_slot(self, slot, image, envelope):
        """Image and envelope (without trailer header) as a finished update leaves them."""
        if len(image) > self.layout.slot_bytes - TRAILER_BYTES or len(envelope) > TRAILER_BYTES - 8:
            raise LabError("image or envelope does not fit into the slot")
        self.erase_slot(slot)
        start = self.layout.slots[slot]
        self.write(start, image)
        self.write(start + self.layout.slot_bytes - TRAILER_BYTES, b"PWE1" + struct.pack("<I", len(envelope)) + envelope)

    def flip(self, slot, offset, mask=1):
        """Other bits in one byte of a slot."""
        at = self.layout.slots[slot] + offset
        self.write(at, bytes([self.read(at, 1)[0] ^ mask]))

    # --- the boot record ---

    def record(self):
        """The newest state, or None without a valid cell."""
        return boot_record.newest(self.read(self.layout.record, 2 * self.layout.sector_bytes), self.layout.sector_bytes)

    def write_record(self, record):
        """As one commit of `record` leaves a new region; None: blank."""
        size = self.layout.sector_bytes
        self.write(self.layout.record, boot_record.sectors(record, size) if record else b"\xff" * (2 * size))
