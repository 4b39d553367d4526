"""The virt board: QEMU's machine with the bootloader in ROM and a file as NOR flash."""
from . import flash_images
from .qemu_board import QEMU, QemuBoard, available  # noqa: F401


class VirtMachine(QemuBoard):
    """One board in a folder of its own; see QemuBoard."""

    name = "the virt board"

    def __init__(self, folder, bootloader, anchors, identity, watchdog_ms=2000):
        """bootloader: its pawl-boot.bin; anchors, identity: the ROM's blobs, as bytes."""
        super().__init__(folder, flash_images.VIRT)
        self.rom = folder / "rom.img"
        flash_images.make_virt_rom(self.rom, bootloader.read_bytes(), anchors, identity, watchdog_ms)

    def machine_argv(self):
        return ["-M", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "64", "-device", "i6300esb,addr=1",
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={self.rom}",
                "-drive", f"if=pflash,unit=1,format=raw,file={self.nor.path}"]
