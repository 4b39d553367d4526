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
sys.path.insert(0, str(ROOT / "tools"))

from lab import boot_record, flash_images, forging  # noqa: E402
from lab.ast1030 import CLASS, Ast1030Machine  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PAWL_AST1030_BUILD") or ROOT / "build" / "ast1030") / "bin"
IDENTITY = forging.rom_identity(CLASS)
WATCHDOG_MS = 500
# This board's build is brief: it says reasons by their numbers.
NUMBERS = boot_record.reasons(ROOT / "base" / "reasons.def")


class BootTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-ast1030-")
        self.addCleanup(folder.cleanup)
        self.image = (BUILD / "pawl-probe.bin").read_bytes()
        self.board = Ast1030Machine(pathlib.Path(folder.name), BUILD / "pawl-boot.elf", forging.anchors(), IDENTITY, WATCHDOG_MS)
        self.addCleanup(self.board.close)

    def write_slot(self, slot, sequence, key="image 1"):
        envelope = forging.envelope(forging.manifest(self.image, CLASS, sequence), (key,))
        self.board.nor.write_slot(slot, self.image, envelope)

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

    def wait_rolled_back(self, cause, reason, detail=""):
        self.board.wait_text(f"boot: rollback of trial 1: {NUMBERS[reason]}{detail}\n")
        self.wait_started("A", "normal", cause)
        record = self.board.nor.record()
        self.assertEqual((record.confirmed, record.pending, record.owed), ("A", None, True))

    def test_a_new_device_starts_its_only_image_unproven_and_normally_once_confirmed(self):
        self.start_confirmed()
        self.ask("r")
        self.wait_started("A", "normal", "software")
        self.assertTrue(self.board.nor.record().proven)

    def test_driver_and_chip_keep_the_rules_of_nor(self):
        self.start_confirmed()
        self.ask("n", "NOR done")

    def test_a_trial_that_confirms_is_the_device_s_image_from_then_on(self):
        self.start_trial()
        self.ask("c", "confirm done")
        self.ask("r")
        self.wait_started("B", "normal", "software")
        self.assertEqual(self.board.nor.record().confirmed, "B")

    def test_an_image_that_hangs_three_times_is_rolled_back_with_reason_watchdog(self):
        self.start_trial()
        for left in (1, 0):
            self.ask("h")
            self.wait_started("B", "trial", "watchdog")
            self.assertEqual(self.board.nor.record().attempts, left)
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

    def test_power_loss_costs_a_power_attempt_and_no_attempt(self):
        self.start_trial()
        before = self.board.nor.record()
        self.board.power_on()
        self.wait_started("B", "trial", "power")
        after = self.board.nor.record()
        self.assertEqual((after.attempts, after.power_attempts), (before.attempts, before.power_attempts - 1))

    def test_what_is_not_genuine_does_not_run(self):
        self.write_slot("A", 1)
        self.board.nor.flip("A", 1000)
        self.write_slot("B", 2, key=forging.STRANGER)
        self.board.power_on()
        self.board.wait_text(f"slot A does not verify: {NUMBERS['image digest']}\n")
        self.board.wait_text(f"slot B does not verify: {NUMBERS['invalid signature: unknown key']}\n")
        self.board.wait_text("boot: B0 recovery")
        self.assertNotIn("probe:", self.board.text())

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
