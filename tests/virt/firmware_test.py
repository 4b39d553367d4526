#!/usr/bin/python3
"""The bare-metal firmware on the virt board, spoken with over its serial line: an update from facts to confirmed, and the
rollback of each bad image.

Needs the preset `virt` (cmake --preset virt && cmake --build --preset virt), or PAWL_VIRT_BUILD.
"""
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import boot_record, forging  # noqa: E402
from lab.serial_line import FRESH, MODES, NO_PLATFORM, TESTS, Refused, SerialLine  # noqa: E402
from lab.virt import VirtMachine  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt")
CLASS = "virt-1"
REASONS = boot_record.reasons(ROOT / "base" / "reasons.def")
WINDOW_MS = 1000
SECTOR = 256 << 10
JOB = 7
TINY = "2.2.2-crashes"  # an image that is quickly staged


class Release:
    def __init__(self, name, sequence, keys=("image 1",), budget_s=30, pad_to=0):
        self.image = (BUILD / "firmware" / f"pawl-bare-{name}.bin").read_bytes().ljust(pad_to, b"\x5a")
        content = forging.manifest(self.image, CLASS, sequence, budget_s=budget_s)
        self.envelope = forging.envelope(content, keys)
        self.digest = forging.manifest_digest(content)


class FirmwareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-fw-")
        self.addCleanup(folder.cleanup)
        self.board = VirtMachine(pathlib.Path(folder.name), BUILD / "bin" / "pawl-boot.bin", forging.anchors(),
                                 forging.rom_identity(CLASS), WINDOW_MS)
        self.addCleanup(self.board.power_off)
        self.running = Release("1.0.0", 1)
        self.board.nor.write_slot("A", self.running.image, self.running.envelope)
        self.board.nor.write_record(boot_record.Record(confirmed="A"))

    def power_on(self):
        self.board.power_on()
        self.line = SerialLine(self.board.serial_path)
        self.addCleanup(self.line.close)
        self.line.wait("Started")
        return self.line

    def begin_trial(self, release):
        """Powers on a board that was reset right after F1."""
        self.board.nor.write_slot("B", release.image, release.envelope)
        self.board.nor.write_record(boot_record.Record(confirmed="A", pending="B", attempts=3, power_attempts=8, trial=1, job=JOB,
                                                       digest=release.digest))
        self.board.power_on()
        self.line = SerialLine(self.board.serial_path)
        self.addCleanup(self.line.close)

    def expect_fallback(self, reason, detail=""):
        self.line.wait("Started")
        facts = self.line.facts()
        while facts["slot"] != 0:  # another attempt
            self.line.wait("Started")
            facts = self.line.facts()
        record = boot_record.decode(facts["record"])
        self.assertEqual((MODES[facts["mode"]], record.owed, record.reason), ("normal", True, REASONS[reason]))
        self.assertEqual((record.detail.decode(), record.job), (detail, JOB))
        self.line.ask("SettleRollback", trial=record.trial, job=record.job)
        self.assertFalse(boot_record.decode(self.line.facts()["record"]).owed)


class Flow(FirmwareTest):
    def test_the_first_start_proves_the_factory_s_image(self):
        self.board.nor.write_record(boot_record.Record(confirmed="A", proven=False))
        self.power_on()
        self.line.wait("Changed")
        facts = self.line.facts()
        self.assertEqual((MODES[facts["mode"]], TESTS[facts["tests"]], facts["tests_detail"]), ("unproven", "passed", ""))
        self.assertTrue(boot_record.decode(facts["record"]).proven)
        for test in ("peripheral:uart", "peripheral:adc", "peripheral:flash", "peripheral:record", "memory:ram", "memory:image",
                     "connectivity"):
            self.assertIn(f"self-test {test}: pass\n", self.board.text())

    def test_an_update_from_facts_to_confirmed(self):
        self.power_on()
        facts = self.line.facts()
        self.assertEqual((facts["image_version"], facts["slot"], MODES[facts["mode"]]), ("1.0.0", 0, "normal"))
        self.assertEqual((facts["manifest_digest"], facts["watchdog_ms"]), (self.running.digest, WINDOW_MS))
        self.assertEqual(facts["rom_digest"], forging.sha256(forging.anchors() + forging.rom_identity(CLASS)))
        update = Release("2.1.0", 2)
        self.line.relay = NO_PLATFORM
        self.line.stage(update.image, update.envelope, update.digest)
        self.line.ask("Seal")
        self.line.ask("Pending", job=JOB, manifest_digest=update.digest)
        self.line.ask("Reset")
        self.line.wait("NonceWanted")
        facts = self.line.facts()
        self.assertEqual((facts["image_version"], facts["slot"], MODES[facts["mode"]]), ("2.0.0", 1, "trial"))
        self.assertEqual(TESTS[facts["tests"]], "running")
        self.line.relay = FRESH
        self.line.wait("Changed")
        facts = self.line.facts()
        record = boot_record.decode(facts["record"])
        self.assertEqual((TESTS[facts["tests"]], record.confirmed, record.proven), ("passed", "B", True))
        self.assertEqual(self.board.nor.record(), record)
        self.power_on()
        self.assertEqual((self.line.facts()["manifest_digest"], MODES[self.line.facts()["mode"]]), (update.digest, "normal"))

    def test_a_transfer_goes_on_at_the_sector_in_which_it_was_cut(self):
        update = Release("2.1.0", 2, pad_to=SECTOR + 8192)
        self.board.nor.write(self.board.nor.layout.slots["B"], update.image[:SECTOR + 4000])
        self.power_on()
        self.assertEqual(self.line.stage(update.image, update.envelope, update.digest), SECTOR)
        self.line.ask("Seal")


class Refusing(FirmwareTest):
    def seal(self, release):
        self.line.stage(release.image, release.envelope, release.digest)
        with self.assertRaises(Refused) as refused:
            self.line.ask("Seal")
        return refused.exception.reason

    def test_the_child_believes_its_own_rom_alone(self):
        self.power_on()
        self.assertEqual(self.seal(Release(TINY, 2, keys=(forging.STRANGER,))), REASONS["invalid signature: unknown key"])
        altered = Release(TINY, 2)
        altered.image = altered.image[:-1] + bytes([altered.image[-1] ^ 1])
        self.assertEqual(self.seal(altered), REASONS["image digest"])
        self.assertEqual(self.seal(Release(TINY, 0)), REASONS["downgrade"])
        with self.assertRaises(Refused):
            self.line.ask("Pending", job=JOB, manifest_digest=altered.digest)
        self.assertIsNone(self.board.nor.record().pending)


class Rollback(FirmwareTest):
    def test_a_self_test_that_fails(self):
        self.begin_trial(Release("2.2.0-selftest-fails", 2))
        self.expect_fallback("self-test failed", "peripheral:adc: reads 0 mV")
        self.assertIn("self-test peripheral:adc: reads 0 mV: FAIL\n", self.board.text())

    def test_a_driver_that_hangs(self):
        self.begin_trial(Release("2.2.1-hangs", 2))
        self.expect_fallback("watchdog")
        self.assertEqual(self.board.text().count("slot B, mode trial, cause"), 3)

    def test_a_crash_in_the_first_instruction(self):
        self.begin_trial(Release("2.2.2-crashes", 2))
        self.expect_fallback("crash")

    def test_one_that_never_confirms(self):
        self.begin_trial(Release("2.2.4-never-confirms", 2, budget_s=1))
        self.expect_fallback("trial budget spent", "peripheral:adc")

    def test_a_gateway_that_does_not_answer(self):
        self.begin_trial(Release("2.1.0", 2, budget_s=2))
        self.line.relay = None
        self.expect_fallback("no link", "connectivity")


if __name__ == "__main__":
    unittest.main(verbosity=2)
