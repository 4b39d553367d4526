#!/usr/bin/python3
"""Attacks on the boot path of the virt board, row by row of docs/hazards.md: somebody has the flash in his hands, or has broken
the firmware. Whatever he does, only what verifies runs, and what happened stands in the record.

Needs the preset `virt` (cmake --preset virt && cmake --build --preset virt), or PAWL_VIRT_BUILD.
"""
import os
import pathlib
import random
import struct
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "virt"), str(ROOT / "tests" / "attack")]
from lab import boot_record, flash_images, forging  # noqa: E402
from lab.gdb_remote import T_BIT, GdbRemote  # noqa: E402
from lab.serial_line import SerialLine  # noqa: E402
from skipping import Symbols  # noqa: E402
from virt_boot_test import CLASS, CRASHES, HANGS, PROBE, REASONS, BoardTest, sealed, trial_of  # noqa: E402

FIRMWARE = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt") / "firmware"
SEED = int(os.environ.get("PAWL_SEED", random.randrange(1 << 32)))
CELL = boot_record.CELL
# Looks at the board's counter (62.5 MHz) until a second is over, and then executes what is no instruction.
CRASHES_AFTER_A_SECOND = struct.pack("<6I", 0xEC510F0E, 0xEC532F0E, 0xE0422000, 0xE352050F, 0x3AFFFFFB, 0xE7F000F0)


class AttackTest(BoardTest):
    def good_a(self, **manifest):
        self.put("A", PROBE, 1, **manifest)

    def expect_a(self, said=None):
        """A runs; nothing of B ever did."""
        self.assertIn("slot A, version 1.0.0", said or self.boot())
        self.board.wait_text("probe: slot A")
        self.assertNotIn("probe: slot B", self.board.text())

    def expect_rollback(self, reason, detail=""):
        record = self.nor.record()
        self.assertEqual((record.reason, record.detail.decode(), record.owed, record.pending), (REASONS[reason], detail, True, None))

    def expect_nothing_runs(self):
        before = self.board.text().count("boot: jumps")
        self.assertIn("recovery: no slot holds an image that verifies", self.boot())
        self.assertEqual(self.board.text().count("boot: jumps"), before)


class ChangedBehindTheFirmwareSBack(AttackTest):
    """C1"""

    def test_a_byte_that_is_flipped_between_the_device_s_check_and_the_reboot(self):
        images = {name: (FIRMWARE / f"pawl-bare-{name}.bin").read_bytes() for name in ("1.0.0", "2.2.2-crashes")}
        self.nor.write_slot("A", images["1.0.0"], sealed(images["1.0.0"]))
        self.nor.write_record(boot_record.Record())
        self.board.power_on()
        line = SerialLine(self.board.serial_path)
        self.addCleanup(line.close)
        line.wait("Started")
        update = images["2.2.2-crashes"]
        content = forging.manifest(update, CLASS, 2)
        line.stage(update, forging.envelope(content), forging.manifest_digest(content))
        line.ask("Seal")
        line.ask("Pending", job=9, manifest_digest=forging.manifest_digest(content))
        self.board.power_off()
        self.assertEqual(self.nor.record().pending, "B")
        self.nor.flip("B", len(update) // 3, 0x04)
        said = self.boot()
        self.assertIn("slot B does not verify: image digest", said)
        self.assertIn("B8 slot A, version 1.0.0, mode normal", said)
        self.expect_rollback("invalid image", "image digest")
        self.assertEqual((self.nor.record().trial, self.nor.record().job), (1, 9))


class TamperedRecord(AttackTest):
    """C5"""

    def test_pending_that_points_at_an_empty_or_senseless_slot(self):
        self.good_a()
        senseless = random.Random(SEED).randbytes(1 << 20)
        for content, why in ((None, "not found"), (senseless, "not found"), (b"PWE1" + b"\xff" * 60, "not found")):
            self.nor.erase_slot("B")
            if content:
                self.nor.write(flash_images.VIRT.slots["B"], content)
            self.nor.write_record(trial_of(PROBE, 2))
            self.expect_a()
            self.expect_rollback("invalid image", why)
            self.board.power_off()

    def test_a_word_that_calls_an_unverified_slot_confirmed(self):
        self.good_a()
        for envelope in (sealed(CRASHES, 2, keys=(forging.STRANGER,)), sealed(PROBE, 2)):
            self.nor.write_slot("B", CRASHES, envelope)
            self.nor.write_record(boot_record.Record(confirmed="B", proven=True))
            said = self.boot()
            self.assertIn("emergency: confirmed image invalid", said)
            self.expect_a(said)
            self.assertEqual((self.nor.record().confirmed, self.nor.record().proven), ("A", False))
            self.board.power_off()

    def test_torn_killed_erased_and_random_cells(self):
        self.good_a()
        cell, rng = boot_record.Record(confirmed="B").encode(), random.Random(SEED)
        size = flash_images.VIRT.sector_bytes
        lost = [cell[:n] for n in (1, 16, 64, 127)] + [bytes(CELL), bytes(size), rng.randbytes(CELL), rng.randbytes(2 * size)]
        for content in lost:
            self.nor.write_record(None)
            self.nor.write(0, content)
            said = self.boot()
            self.assertIn("emergency: boot record lost", said, content[:16].hex())
            self.expect_a(said)
            self.board.power_off()
        self.nor.write_record(None)
        said = self.boot()
        self.assertNotIn("emergency", said)
        self.expect_a(said)

    def test_a_torn_newest_cell_leaves_the_one_before(self):
        self.good_a()
        before = boot_record.Record(sequence=7, confirmed="A", trial=4)
        self.nor.write_record(before)
        self.nor.write(2 * CELL, boot_record.Record(sequence=8, confirmed="B").encode()[:100])
        self.expect_a()
        self.assertEqual((self.nor.record().confirmed, self.nor.record().trial), ("A", 4))

    def test_a_record_whose_counters_are_beyond_all_limits(self):
        self.good_a()
        self.put("B", CRASHES, 2)
        record = trial_of(CRASHES, 2)
        record.attempts = record.power_attempts = 255
        self.nor.write_record(record)
        said = self.boot()
        for attempt in (1, 2, 3):
            self.assertIn(f"attempt {attempt} of 3", said)
            said = self.next_boot()
        self.expect_a(said)


class EndlessBootLoops(AttackTest):
    """C6"""

    def trial(self, image):
        self.good_a()
        self.put("B", image, 2)
        self.nor.write_record(trial_of(image, 2))
        return self.boot()

    def expect_three_attempts(self, image, cause, reason):
        said = self.trial(image)
        for attempt in (1, 2, 3):
            self.assertIn(f"B6 trial of slot B, version 2.0.0, attempt {attempt} of 3", said)
            said = self.next_boot()
            self.assertIn(f"reset cause {cause}", said)
        self.assertIn("slot A, version 1.0.0", said)
        self.board.wait_text("probe: slot A")
        self.expect_rollback(reason)

    def test_a_crash_in_the_first_instruction(self):
        self.expect_three_attempts(CRASHES, "other", "crash")

    def test_a_hang(self):
        self.expect_three_attempts(HANGS, "watchdog", "watchdog")

    def test_a_crash_after_a_second(self):
        self.board.rom.write_bytes(b"")
        flash_images.make_virt_rom(self.board.rom, self.bootloader(), forging.anchors(), forging.rom_identity(CLASS), 3000)
        self.expect_three_attempts(CRASHES_AFTER_A_SECOND, "other", "crash")

    def test_attempts_are_counted_before_the_jump(self):
        self.good_a()
        self.put("B", HANGS, 2)
        self.nor.write_record(trial_of(HANGS, 2))
        self.board.power_on(gdb=True, paused=True)
        gdb = GdbRemote(self.board.gdb_path)
        self.addCleanup(gdb.close)
        gdb.set_breakpoints([0x42000000])  # the image's first instruction, which has not run yet
        gdb.run()
        self.board.power_off()
        record = self.nor.record()
        self.assertEqual((record.started, record.attempts), (True, 2))

    def bootloader(self):
        from virt_boot_test import BIN
        return (BIN / "pawl-boot.bin").read_bytes()


class LyingSelfTests(AttackTest):
    """C7"""

    def test_an_image_that_never_confirms(self):
        image = (FIRMWARE / "pawl-bare-2.2.4-never-confirms.bin").read_bytes()
        self.good_a()
        self.nor.write_slot("B", image, sealed(image, 2, budget_s=1))
        self.nor.write_record(boot_record.Record(pending="B", attempts=3, power_attempts=8, trial=1, job=7, digest=forging.manifest_digest(
            forging.manifest(image, CLASS, 2, budget_s=1))))
        self.assertIn("trial of slot B", self.boot())
        said = self.next_boot()
        while "trial of slot B" in said:
            said = self.next_boot()
        self.expect_a(said)
        self.assertTrue(self.nor.record().owed)

    def test_an_image_that_confirms_and_then_dies(self):
        """It stays, as it was confirmed; each death is visible as the cause of the next start."""
        self.good_a()
        self.put("B", PROBE, 2)
        self.nor.write_record(trial_of(PROBE, 2))
        self.boot()
        self.board.send(b"c")
        self.board.wait_text("probe: confirm: done")
        for letter, cause in ((b"u", "other"), (b"h", "watchdog"), (b"u", "other")):
            self.board.send(letter)
            said = self.next_boot()
            self.assertIn("B8 slot B, version 2.0.0, mode normal", said)
            self.board.wait_text(f"probe: slot B, mode normal, cause {cause}")
        self.assertEqual((self.nor.record().confirmed, self.nor.record().owed), ("B", False))


class BadFallback(AttackTest):
    """C8"""

    def test_the_fallback_is_corrupted_while_a_good_image_is_pending(self):
        self.good_a()
        self.put("B", PROBE, 2)
        self.nor.write_record(trial_of(PROBE, 2))
        self.nor.flip("A", 100)
        self.assertIn("slot A does not verify: image digest", self.boot())
        self.board.wait_text("probe: slot B, mode trial")
        self.assertNotIn("probe: slot A", self.board.text())

    def test_both_are_corrupted(self):
        self.good_a()
        self.put("B", PROBE, 2)
        self.nor.write_record(trial_of(PROBE, 2))
        self.nor.flip("A", 100)
        self.nor.flip("B", 100)
        self.expect_nothing_runs()
        record = self.nor.record()
        self.assertEqual((record.emergency_reason, record.owed), (REASONS["nothing bootable"], True))

    def test_the_pending_image_crashes_and_the_fallback_is_corrupted(self):
        """Its attempts are over; it is the only image that verifies, and so it runs on, reported as an emergency."""
        self.good_a()
        self.put("B", CRASHES, 2)
        self.nor.write_record(trial_of(CRASHES, 2))
        self.nor.flip("A", 0)
        said = self.boot()
        for _ in range(3):
            self.assertIn("trial of slot B", said)
            said = self.next_boot()
        self.assertIn("emergency: confirmed image invalid", said)
        self.assertIn("B9 slot B, version 2.0.0, mode unproven", said)


class ReplacedRom(AttackTest):
    """C10"""

    def test_neither_image_nor_debugger_changes_the_rom_for_good(self):
        self.good_a()
        before = self.board.rom.read_bytes()
        self.board.power_on(gdb=True)
        self.board.wait_text("probe: slot A")
        self.board.send(b"o")
        self.board.wait_text("probe: the ROM is as it was")
        gdb = GdbRemote(self.board.gdb_path)
        gdb.write(flash_images.VIRT_ROM_DATA + 4096, bytes(64))
        gdb.close()
        self.board.power_off()
        self.assertTrue(self.board.rom.read_bytes() == before)
        self.expect_a()

    def test_foreign_keys_in_the_rom_start_nothing(self):
        """The blobs are bound to the header that the factory wrote beside them."""
        foreign = forging.dump({1: 1, 2: [[forging.STRANGER.kid, -9, forging.STRANGER.point, 15]], 3: {1: 2, 2: 1, 4: 1, 8: 1}, 4: []})
        self.nor.write_slot("A", PROBE, sealed(PROBE, keys=(forging.STRANGER,)))
        with open(self.board.rom, "r+b") as rom:
            rom.seek(flash_images.VIRT_ROM_DATA + 4096)
            rom.write(foreign)
        self.assertIn("does not start: ", self.boot())
        self.assertNotIn("boot: jumps", self.board.text())


class Astray(AttackTest):
    """C4: a core whose stack or link register a glitch has spoilt comes back somewhere else."""

    def test_only_the_bootloader_can_be_executed_until_the_jump(self):
        self.good_a()
        where = {"an image": 0x41000000, "inside an image": 0x42000100, "the stack": 0x403FF000, "the hand-off": 0x40100100,
                 "the slot on flash": 0x04100000, "the ROM data": 0x00100000}
        elf = Symbols(FIRMWARE.parent / "bin" / "pawl-boot.elf")
        for what, address in where.items():
            with self.subTest(what):
                self.board.power_on(gdb=True, paused=True)
                gdb = GdbRemote(self.board.gdb_path)
                gdb.set_breakpoints([elf.function("pawl::Recheck(")])  # images are in RAM, and what runs was chosen
                gdb.run()
                registers = gdb.registers()
                registers.cpsr &= ~T_BIT
                registers.r[15] = address
                gdb.set_breakpoints([])
                gdb.start(registers)
                gdb.close()
                self.board.wait_text(f"crash: instruction fetch refused at 0x{address:08x}")
                self.expect_a(self.board.text())  # after the reset
                self.board.power_off()


class Downgrade(AttackTest):
    """A7"""

    def older_in_b(self):
        """A genuine image of a lower security version, as if it were an update."""
        self.put("B", PROBE, 2, security_version=1)
        content = forging.manifest(PROBE, CLASS, 2, security_version=1)
        return boot_record.Record(pending="B", attempts=3, power_attempts=8, trial=1, job=7, digest=forging.manifest_digest(content))

    def test_a_floor_that_the_firmware_raised_outlasts_a_forged_pending(self):
        image = (FIRMWARE / "pawl-bare-1.0.0.bin").read_bytes()
        self.nor.write_slot("A", image, sealed(image, security_version=2))
        self.nor.write_record(boot_record.Record())
        self.board.power_on()
        line = SerialLine(self.board.serial_path)
        self.addCleanup(line.close)
        line.wait("Started")
        line.ask("RaiseFloor", value=2)
        self.board.power_off()
        raised = self.nor.record()
        self.assertEqual(raised.floor, 2)
        forged = self.older_in_b()
        forged.floor, forged.sequence = raised.floor, raised.sequence + 1
        self.nor.write_record(forged)
        self.assertIn("slot B does not verify: security version too low", self.boot())
        self.expect_rollback("invalid image", "security version too low")
        self.assertEqual(self.nor.record().floor, 2)

    def test_the_rom_s_minimum_holds_without_any_record(self):
        self.board.rom.write_bytes(b"")
        from virt_boot_test import BIN
        flash_images.make_virt_rom(self.board.rom, (BIN / "pawl-boot.bin").read_bytes(), forging.anchors(),
                                   forging.rom_identity(CLASS, min_security_version=2), 400)
        self.good_a(security_version=2)
        self.nor.write_record(self.older_in_b())
        self.expect_a()
        self.expect_rollback("invalid image", "security version too low")
        self.board.power_off()
        self.nor.erase_slot("A")
        self.nor.write_record(None)
        self.expect_nothing_runs()


if __name__ == "__main__":
    print(f"PAWL_SEED={SEED}")
    unittest.main(verbosity=2)
