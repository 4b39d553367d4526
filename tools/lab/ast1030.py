"""The AST1030 evaluation board: a Cortex-M4 with an SPI NOR chip. What stands for ROM there is RAM, which QEMU fills at each
reset: good for tests only (docs/porting.md)."""
import os
import struct

from . import flash_images
from .qemu_board import QemuBoard

CLASS = "ast1030-1"
LAYOUT = flash_images.Layout(file_bytes=4 << 20, sector_bytes=4096, record=0, slots={"A": 0x40000, "B": 0x80000},
                             slot_bytes=256 << 10)
ROM_DATA = 0x10000


def as_elf(data, at):
    """An ELF file of one segment: QEMU's loader takes raw files only up to the machine's RAM size, which is 0 here."""
    head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 40, 1, at, 52, 0, 0x05000000, 52, 32, 1, 0, 0, 0)
    return head + struct.pack("<IIIIIIII", 1, len(head) + 32, at, at, len(data), len(data), 4, 4) + data


class Ast1030Machine(QemuBoard):
    """One board in a folder of its own; see QemuBoard."""

    name = "the ast1030 board"

    def __init__(self, folder, bootloader, anchors, identity, watchdog_ms=2000):
        """bootloader: its pawl-boot.elf; anchors, identity: the ROM's blobs, as bytes."""
        super().__init__(folder, LAYOUT)
        self.bootloader = bootloader
        self.rom = folder / "rom-data.elf"
        for end in ("in", "out"):
            os.mkfifo(folder / f"line.{end}")
        self._pipes = [os.open(folder / f"line.{end}", os.O_RDWR | os.O_NONBLOCK) for end in ("in", "out")]
        self.write_rom(flash_images.virt_rom_data(anchors, identity, watchdog_ms))

    def write_rom(self, data):
        self.rom.write_bytes(as_elf(data, ROM_DATA))

    def machine_argv(self):
        return ["-M", "ast1030-evb", "-kernel", str(self.bootloader), "-device", f"loader,file={self.rom}",
                "-drive", f"if=mtd,format=raw,file={self.nor.path}"]

    # This board's UART repeats bytes that a socket does not take at once: its line is a pair of pipes, which hold more
    # than a test lets it say between two looks.
    def serial_chardev(self):
        return f"pipe,id=serial,path={self.folder / 'line'},logfile={self.log},logappend=on"

    def close(self):
        self.power_off()
        for pipe in self._pipes:
            os.close(pipe)

    def send(self, data):
        os.write(self._pipes[0], data)

    def _drain(self):
        try:
            while os.read(self._pipes[1], 65536):
                pass
        except BlockingIOError:
            pass
