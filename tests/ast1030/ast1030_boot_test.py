#!/usr/bin/python3
"""The bootloader on QEMU's ast1030-evb: record, decision and watchdog over a flash chip that keeps the rules of NOR.

Needs the preset `ast1030` (cmake --preset ast1030 && cmake --build --preset ast1030), or PAWL_AST1030_BUILD.
"""
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "attack")]

from lab import boot_record, flash_images, forging  # noqa: E402
from lab.ast1030 import CLASS, Ast1030Machine  # noqa: E402
from lab.gdb_remote import GdbRemote  # noqa: E402
from lab.process import wait_for  # noqa: E402
import guarded  # noqa: E402
from skipping import Symbols  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PAWL_AST1030_BUILD") or ROOT / "build" / "ast1030")
IDENTITY = forging.rom_identity(CLASS)
WATCHDOG_MS = 1000
# This board's build is brief: it says reasons by their numbers.
NUMBERS = boot_record.reasons(ROOT / "base" / "reasons.def")


class BootTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-ast1030-")
        self.addCleanup(folder.cleanup)
        self.image = (BUILD / "bin" / "pawl-probe.bin").read_bytes()
        self.board = Ast1030Machine(pathlib.Path(folder.name), BUILD / "bin" / "pawl-boot.elf", forging.anchors(), IDENTITY, WATCHDOG_MS)
        self.addCleanup(self.board.close)

    def write_slot(self, slot, sequence, key="image 1", image=None):
        """The probe, or another image, with its envelope; the manifest's digest."""
        image = image or self.image
        content = forging.manifest(image, CLASS, sequence)
        self.board.nor.write_slot(slot, image, forging.envelope(content, (key,)))
        return forging.manifest_digest(content)

    def wait_started(self, slot, mode, cause):
        self.board.wait_text(f"probe: slot {slot}, mode {mode}, cause {cause}, trial")

    def ask(self, letter, answer=None):
        self.board.send(letter.encode())
        if answer:
            self.board.wait_text(f"probe: {answer}\n")

    def start_confirmed(self):
        """A runs release 1, confirmed."""
        self.write_slot("A", 1)
        self.board.power_on()
        self.wait_started("A", "unproven", "power")
        self.ask("c", "confirm done")

    def start_trial(self):
        """B runs release 2 for the first time."""
        self.write_slot("B", 2)
        self.start_confirmed()
        self.ask("p", "set pending done")
        self.ask("r")
        self.wait_started("B", "trial", "software")

    def wait_record(self, holds):
        """QEMU writes this chip's file some time after the chip was done."""
        return wait_for("the record is as it should be", lambda: (record := self.board.nor.record()) and holds(record))

    def wait_rolled_back(self, cause, reason, detail=""):
        self.board.wait_text(f"boot: rollback of trial 1: {NUMBERS[reason]}{detail}\n")
        self.wait_started("A", "normal", cause)
        self.wait_record(lambda record: (record.confirmed, record.pending, record.owed) == ("A", None, True))

    def test_a_new_device_starts_its_only_image_unproven_and_normally_once_confirmed(self):
        self.start_confirmed()
        self.ask("r")
        self.wait_started("A", "normal", "software")
        self.wait_record(lambda record: record.proven)

    def test_driver_and_chip_keep_the_rules_of_nor(self):
        self.start_confirmed()
        self.ask("n", "NOR done")

    def test_a_trial_that_confirms_is_the_device_s_image_from_then_on(self):
        self.start_trial()
        self.ask("c", "confirm done")
        self.ask("r")
        self.wait_started("B", "normal", "software")
        self.wait_record(lambda record: record.confirmed == "B")

    def test_an_image_that_hangs_three_times_is_rolled_back_with_reason_watchdog(self):
        self.start_trial()
        for left in (1, 0):
            self.ask("h")
            self.wait_started("B", "trial", "watchdog")
            self.wait_record(lambda record, left=left: record.attempts == left)
        self.ask("h")
        self.wait_rolled_back("watchdog", "watchdog")

    def test_an_image_that_crashes_three_times_is_rolled_back_with_reason_crash(self):
        self.start_trial()
        for _ in range(2):
            self.ask("x")
            self.wait_started("B", "trial", "other")
        self.ask("x")
        self.wait_rolled_back("other", "crash")

    def test_a_failed_self_test_ends_the_trial_at_once(self):
        self.start_trial()
        self.ask("f", "fail trial done")
        self.ask("r")
        self.wait_rolled_back("software", "self-test failed", ": asked for")

    # --- the firmware of firmware/bare, in a trial; the slot that is left is the probe's ---

    def start_firmware(self, name):
        self.write_slot("A", 1)
        digest = self.write_slot("B", 2, image=(BUILD / "firmware" / f"pawl-bare-{name}.bin").read_bytes())
        self.board.nor.write_record(boot_record.Record(confirmed="A", pending="B", attempts=3, power_attempts=8, trial=1, job=7,
                                                       digest=digest))
        self.board.power_on()

    def test_the_firmware_s_self_tests_pass_up_to_the_gateway_that_is_not_there(self):
        self.start_firmware("2.1.0")
        self.board.wait_text("firmware 2.1.0 on ast1030, slot B, mode trial")
        for test in ("peripheral:uart", "peripheral:flash", "peripheral:record", "memory:ram", "memory:image"):
            self.board.wait_text(f"self-test {test}: pass")
        self.board.wait_text("self-test connectivity")

    def test_a_firmware_whose_self_test_fails_is_rolled_back(self):
        self.start_firmware("2.2.0-selftest-fails")
        self.board.wait_text(f"boot: rollback of trial 1: {NUMBERS['self-test failed']}: ")
        self.wait_started("A", "normal", "software")

    def test_a_firmware_that_hangs_is_rolled_back(self):
        self.start_firmware("2.2.1-hangs")
        self.wait_rolled_back("watchdog", "watchdog")

    def test_a_firmware_that_crashes_in_its_first_instruction_is_rolled_back(self):
        self.start_firmware("2.2.2-crashes")
        self.wait_rolled_back("other", "crash")

    def test_power_loss_costs_a_power_attempt_and_no_attempt(self):
        self.start_trial()
        self.wait_record(lambda record: (record.attempts, record.power_attempts) == (2, 8))
        self.board.power_on()
        self.wait_started("B", "trial", "power")
        self.wait_record(lambda record: (record.attempts, record.power_attempts) == (2, 7))

    def test_what_is_not_genuine_does_not_run(self):
        self.write_slot("A", 1)
        self.board.nor.flip("A", 1000)
        self.write_slot("B", 2, key=forging.STRANGER)
        self.board.power_on()
        self.board.wait_text(f"slot A does not verify: {NUMBERS['image digest']}\n")
        self.board.wait_text(f"slot B does not verify: {NUMBERS['invalid signature: unknown key']}\n")
        self.board.wait_text("boot: B0 recovery")
        self.assertNotIn("probe:", self.board.text())

    def test_only_the_bootloader_can_be_executed_until_the_jump(self):
        self.write_slot("A", 1)
        recheck = Symbols(BUILD / "bin" / "pawl-boot.elf").function("pawl::Recheck(")
        for what, address in {"an image": 0x20000, "the stack": 0x1E000, "the slot on flash": 0x80040000}.items():
            with self.subTest(what):
                seen = len(self.board.text())
                self.board.power_on(gdb=True, paused=True)
                gdb = GdbRemote(self.board.gdb_path)
                gdb.set_breakpoints([recheck])  # images are in RAM, and what runs was chosen
                gdb.run()
                registers = gdb.registers()
                registers.r[15] = address
                gdb.set_breakpoints([])
                gdb.start(registers)
                gdb.close()
                self.wait_started("A", "unproven", "other")
                self.assertNotIn("probe: slot A, mode unproven, cause power", self.board.text()[seen:])
                self.board.power_off()

    def test_a_bootloader_that_hangs_is_reset(self):
        self.write_slot("A", 1)
        elf = Symbols(BUILD / "bin" / "pawl-boot.elf")
        guarded.leave_at(guarded.start(self.board, elf, 1000), elf.endless_loop())
        self.wait_started("A", "unproven", "other")

    def test_without_anchors_nothing_starts(self):
        self.write_slot("A", 1)
        rom = bytearray(flash_images.virt_rom_data(forging.anchors(), IDENTITY, WATCHDOG_MS))
        rom[4096 + 20] ^= 1
        self.board.write_rom(bytes(rom))
        self.board.power_on()
        self.board.wait_text(f"boot: does not start: {NUMBERS['corrupt']}\n")
        self.assertIsNone(self.board.nor.record())


if __name__ == "__main__":
    unittest.main(verbosity=2)
