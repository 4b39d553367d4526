#!/usr/bin/python3
"""How long a boot takes: from reset to the first instruction of the image, per MiB of image, on the virt board.

  bench/boot_time/boot_time.py [--json]

QEMU's wall time says nothing about a device, so this counts instructions: with -icount one instruction takes one nanosecond of the
board's own clock, always. Beside each boot stands its floor in the same run, SHA-256 over the same bytes, and a model of a bootloader
that copies, hashes and verifies one image once. Needs the preset `virt`, or PAWL_VIRT_BUILD.
"""
import argparse
import json
import os
import pathlib
import struct
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import forging  # noqa: E402
from lab.process import wait_for  # noqa: E402
from lab.virt import VirtMachine  # noqa: E402

BIN = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt") / "bin"
CLASS = "virt-1"
MIB = 1 << 20
# Bytes of image; the last ones with a second image in the other slot.
ONE_SLOT = (MIB // 16, MIB, 2 * MIB, 4 * MIB, 7 * MIB)
BOTH_SLOTS = (MIB, 4 * MIB)
TICK_NS = 16  # the board's counter runs at 62.5 MHz; with -icount shift=0 a nanosecond is an instruction
MARK = b"<count>"

# The image's first instructions: reads the board's counter, which began with the power, and writes it to the UART.
CODE = [0xEC510F1E,  # mrrc p15, 1, r0, r1, c14
        0xE3A02409]  # mov r2, #0x09000000


def first_instructions():
    code = list(CODE)
    for byte in MARK:
        code += [0xE3A03000 | byte, 0xE5C23000]  # mov r3, #byte; strb r3, [r2]
    for register in (0, 1):
        for _ in range(4):
            code += [0xE5C20000 | register << 12, 0xE1A00420 | register << 12 | register]  # strb r, [r2]; lsr r, r, #8
    return struct.pack(f"<{len(code) + 1}I", *code, 0xEAFFFFFE)  # b .


class CountedMachine(VirtMachine):
    def machine_argv(self):
        return [*super().machine_argv(), "-icount", "shift=0,sleep=off"]


def start(folder, images):
    """A board with these images in slots A, B, …, powered on."""
    board = CountedMachine(folder, BIN / "pawl-boot.bin", forging.anchors(), forging.rom_identity(CLASS), watchdog_ms=60000)
    for slot, image in zip("AB", images):
        board.nor.write_slot(slot, image, forging.envelope(forging.manifest(image, CLASS, 1)))
    return board.power_on()


def instructions_of_boot(image_bytes, both):
    """From reset to the image's first instruction."""
    image = first_instructions().ljust(image_bytes, b"\xA5")
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as folder:
        with start(pathlib.Path(folder), [image] * (2 if both else 1)) as board:
            def counted():
                log = board.log.read_bytes() if board.log.exists() else b""
                at = log.find(MARK)
                return log[at + len(MARK):][:8] if at >= 0 and len(log) >= at + len(MARK) + 8 else None
            return struct.unpack("<Q", wait_for("the image's first instruction", counted, 240))[0] * TICK_NS


def parts():
    """Instructions of a MiB copied from flash, of a MiB hashed, of one signature verified."""
    image = (BIN / "pawl-bench-parts.bin").read_bytes()
    with tempfile.TemporaryDirectory(prefix="pawl-bench-") as folder:
        with start(pathlib.Path(folder), [image]) as board:
            said = board.wait_text("part end", 240)
    found = {}
    for line in said.splitlines():
        words = line.split()
        if words[:1] == ["part"] and len(words) == 4:
            found[words[1]] = int(words[3]) * 1_000_000 / int(words[2])
    return found


def measure():
    part = parts()
    rows = []
    for both, sizes in ((False, ONE_SLOT), (True, BOTH_SLOTS)):
        for size in sizes:
            total = instructions_of_boot(size, both)
            mib = size / MIB
            floor = part["sha-256"] * mib
            single = (part["sha-256"] + part["copy"]) * mib + part["p-256"]
            rows.append({"mib": mib, "slots": 2 if both else 1, "instructions": total, "floor": floor, "single": single})
    return part, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    if not (BIN / "pawl-bench-parts.bin").exists():
        sys.exit(f"boot_time: {BIN} holds no pawl-bench-parts.bin: cmake --preset virt && cmake --build --preset virt")
    part, rows = measure()
    if arguments.json:
        print(json.dumps({"parts": part, "boots": rows}, indent=2))
        return
    print("One step, in millions of instructions (Cortex-A15, -Os):")
    for name, what in (("copy", "a MiB copied from flash to RAM"), ("sha-256", "SHA-256 over a MiB"), ("p-256", "a P-256 signature")):
        print(f"  {part[name] / 1e6:>8.1f}  {what}")
    print("From reset to the image's first instruction, in millions of instructions:")
    print(f"  {'MiB':>6} {'images':>7} {'boot':>9} {'per MiB':>9} {'SHA-256 once':>13} {'ratio':>6} {'copy+hash+verify once':>22} {'ratio':>6}")
    for row in rows:
        boot, floor, single = (row[key] / 1e6 for key in ("instructions", "floor", "single"))
        print(f"  {row['mib']:>6.2f} {row['slots']:>7} {boot:>9.1f} {boot / row['mib']:>9.1f} {floor:>13.1f} {boot / floor:>6.1f} "
              f"{single:>22.1f} {boot / single:>6.1f}")


if __name__ == "__main__":
    main()
