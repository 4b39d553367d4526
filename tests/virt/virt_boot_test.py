#!/usr/bin/python3
"""The bootloader on the virt board: QEMU, with read-only ROM, NOR flash, UART and hardware watchdog.

Needs the preset `virt` (cmake --preset virt && cmake --build --preset virt), or PAWL_VIRT_BUILD; of the host's build
(PAWL_BUILD) it needs pawl-forge.
"""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "attack")]
from lab import boot_record, flash_images, forging  # noqa: E402
from lab.virt import VirtMachine  # noqa: E402
import guarded  # noqa: E402
from skipping import Symbols  # noqa: E402

BIN = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt") / "bin"
FORGE = pathlib.Path(os.environ.get("PAWL_BUILD") or ROOT / "build" / "release") / "bin" / "pawl-forge"
CLASS = "virt-1"
PROBE = (BIN / "pawl-probe.bin").read_bytes()
CRASHES = struct.pack("<I", 0xE7F000F0) * 16  # an instruction that no ARM core has
HANGS = struct.pack("<I", 0xEAFFFFFE) * 16    # a branch to itself
REASONS = boot_record.reasons(ROOT / "base" / "reasons.def")
IMAGE_RAM = {"A": 0x41000000, "B": 0x42000000}


def sealed(image, sequence=1, keys=("image 1",), signature=None, class_name=CLASS, **manifest):
    """The signed envelope of an image."""
    return forging.envelope(forging.manifest(image, class_name, sequence, **manifest), keys, signature)


def trial_of(image, sequence, slot="B", **fields):
    """The boot record right after F1 set this image pending."""
    digest = forging.manifest_digest(forging.manifest(image, CLASS, sequence))
    return boot_record.Record(confirmed="A" if slot == "B" else "B", pending=slot, attempts=3, power_attempts=8, trial=1, job=7,
                              digest=digest, **fields)


class BoardTest(unittest.TestCase):
    window_ms = 3000  # of the watchdog: wide, so that a busy host is no hang

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pawl-virt-")
        self.addCleanup(folder.cleanup)
        self.board = VirtMachine(pathlib.Path(folder.name), BIN / "pawl-boot.bin", forging.anchors(),
                                 forging.rom_identity(CLASS), self.window_ms)
        self.addCleanup(self.board.power_off)
        self.nor = self.board.nor

    def put(self, slot, image, sequence=1, **kind):
        self.nor.write_slot(slot, image, sealed(image, sequence, **kind))

    def boot(self):
        """Powers on; what the bootloader says up to its jump, or up to saying that nothing runs."""
        self.board.power_on()
        return self.next_boot()

    def next_boot(self):
        said = self.board.wait_text("boot: pawl ")
        while not any(word in said for word in ("boot: jumps", "nothing runs", "does not start")):
            said += self.board.wait_text("\n")
        return said

    def expect_recovery(self, why):
        """Nothing runs, and the bootloader says why of slot A."""
        said = self.boot()
        self.assertIn(f"slot A does not verify: {why}", said)
        self.assertIn("recovery: no slot holds an image that verifies", said)
        self.assertNotIn("jumps", self.board.text())


class TrialTest(BoardTest):
    def prepare_trial(self, image):
        """A good confirmed image in A, this one pending in B."""
        self.put("A", PROBE, 1)
        self.put("B", image, 2)
        self.nor.write_record(trial_of(image, 2))

    def start_trial(self, image):
        self.prepare_trial(image)
        return self.boot()

    def expect_rollback(self, reason):
        self.assertIn("B8 slot A, version 1.0.0, mode normal", self.next_boot())
        record = self.nor.record()
        self.assertEqual((record.reason, record.owed, record.pending), (REASONS[reason], True, None))


class Starting(BoardTest):
    def test_a_good_image_is_verified_committed_and_handed_what_it_needs(self):
        self.put("A", PROBE, security_version=5)
        said = self.boot()
        self.assertIn("reset cause power", said)
        self.assertIn("boot: slot A verifies: manifest", said)
        self.assertIn("boot: slot B does not verify: not found", said)
        self.assertIn("boot: B1 slot A, version 1.0.0, mode unproven", said)
        self.board.wait_text(f"probe: slot A, mode unproven, cause power, trial 0, security version 5, window {self.window_ms}")
        self.assertEqual((self.nor.record().confirmed, self.nor.record().proven), ("A", False))

    def test_an_image_confirms_itself_and_resets(self):
        self.put("A", PROBE)
        self.boot()
        self.board.send(b"c")
        self.board.wait_text("probe: confirm: done")
        self.assertTrue(self.nor.record().proven)
        self.board.send(b"r")
        said = self.next_boot()
        self.assertIn("reset cause software", said)
        self.assertIn("B8 slot A, version 1.0.0, mode normal", said)

    def test_the_same_image_runs_from_either_slot(self):
        self.put("B", PROBE, 2)
        self.assertIn("B1 slot B, version 2.0.0", self.boot())
        self.board.send(b"u")
        at = int(self.board.wait_text("\nboot").split("undefined instruction at ")[1].split()[0], 16)
        self.assertTrue(IMAGE_RAM["B"] <= at < IMAGE_RAM["B"] + len(PROBE), hex(at))

    def test_an_image_of_several_mib_runs(self):
        self.put("A", PROBE.ljust(6 << 20, b"\x5a"))
        self.boot()
        self.board.wait_text("probe: slot A")


class Factory(BoardTest):
    """The factory's own path: what pawl-forge signs, and make_flash writes."""

    def run_tool(self, *argv):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_the_factory_writes_boots(self):
        folder = self.board.folder
        anchors, identity, envelope = (folder / name for name in ("anchors.cbor", "identity.cbor", "envelope.suit"))
        keys = ("root=seed:1", "root=seed:2", "root=seed:3", "image=seed:i", "director=seed:d", "tls-root=seed:t")
        self.run_tool(FORGE, "anchors", *(x for key in keys for x in ("--key", key)), "--out", anchors)
        self.run_tool(FORGE, "identity", "--vendor", "pawl.example", "--class", CLASS, "--out", identity)
        image = BIN / "pawl-probe.bin"
        self.run_tool(FORGE, "manifest", "--key-seed", "i", "--image", image, "--vendor", "pawl.example", "--class", CLASS,
                      "--sequence", 9, "--version", "3.2.1-rc.4", "--trial-budget", 10, "--out", envelope)
        self.run_tool(ROOT / "tools" / "make_flash.py", "--bootloader", BIN / "pawl-boot.bin", "--anchors", anchors,
                      "--identity", identity, "--watchdog-ms", 700, "--image", image, "--envelope", envelope, "--slot", "B",
                      "--rom", self.board.rom, "--nor", self.nor.path)
        self.assertIn("B1 slot B, version 3.2.1-rc.4, mode unproven", self.boot())
        self.board.wait_text("probe: slot B, mode unproven, cause power, trial 0, security version 0, window 700")


class Refusing(BoardTest):
    def test_a_flipped_bit_in_the_image(self):
        self.put("A", PROBE)
        self.nor.flip("A", len(PROBE) // 2, 0x10)
        self.expect_recovery("image digest\n")

    def test_a_flipped_bit_leads_to_the_other_slot(self):
        self.put("A", PROBE, 1)
        self.put("B", PROBE, 2)
        self.nor.write_record(boot_record.Record(confirmed="A"))
        self.nor.flip("A", 0)
        said = self.boot()
        self.assertIn("emergency: confirmed image invalid", said)
        self.assertIn("B9 slot B, version 2.0.0, mode unproven", said)
        self.board.wait_text("probe: slot B")
        self.assertEqual(self.nor.record().confirmed, "B")

    def test_a_stranger_s_signature(self):
        self.put("A", PROBE, keys=(forging.STRANGER,))
        self.expect_recovery("invalid signature: unknown key")

    def test_a_signature_that_does_not_hold(self):
        self.put("A", PROBE, signature=bytes(range(1, 65)))
        self.expect_recovery("invalid signature")

    def test_an_image_of_another_class(self):
        self.put("A", PROBE, class_name="virt-2")
        self.expect_recovery("wrong class")

    def test_a_security_version_below_the_floor(self):
        self.put("A", PROBE, security_version=3)
        self.nor.write_record(boot_record.Record(confirmed="A", floor=4))
        self.expect_recovery("security version too low")

    def test_damaged_rom_data_starts_nothing(self):
        rom_data = flash_images.VIRT_ROM_DATA
        places = {"header": 8, "anchors": 4096 + 100, "identity": 8192 + 10}
        self.put("A", PROBE)
        for what, place in places.items():
            with self.subTest(what):
                genuine = self.board.rom.read_bytes()[rom_data + place]
                self.change_rom(rom_data + place, genuine ^ 0x40)
                said = self.boot()
                self.assertIn("does not start: corrupt", said)
                self.board.power_off()
                self.assertIsNone(self.nor.record())
                self.change_rom(rom_data + place, genuine)
        self.assertIn("boot: jumps", self.boot())

    def change_rom(self, at, byte):
        with open(self.board.rom, "r+b") as rom:
            rom.seek(at)
            rom.write(bytes([byte]))


class Trials(TrialTest):
    def test_a_crash_in_the_first_instruction_is_told_from_a_hang_and_rolled_back(self):
        said = self.start_trial(CRASHES)
        for attempt in (1, 2, 3):
            self.assertIn(f"B6 trial of slot B, version 2.0.0, attempt {attempt} of 3", said)
            self.board.wait_text("crash: undefined instruction at 0x42000000")
            if attempt < 3:
                said = self.next_boot()
                self.assertIn("reset cause other", said)
        self.expect_rollback("crash")

    def test_a_loss_of_power_costs_a_power_attempt(self):
        self.start_trial(PROBE)
        self.board.wait_text("probe: slot B, mode trial, cause power, trial 1")
        said = self.boot()
        self.assertIn("reset cause power", said)
        self.assertIn("B5 trial of slot B, version 2.0.0, power attempt 1 of 8", said)
        self.assertEqual((self.nor.record().attempts, self.nor.record().power_attempts), (2, 7))

    def test_a_trial_that_confirms_becomes_the_confirmed_slot(self):
        self.start_trial(PROBE)
        self.board.send(b"c")
        self.board.wait_text("probe: confirm: done")
        self.assertIn("B8 slot B, version 2.0.0, mode normal", self.boot())


class Hanging(TrialTest):
    window_ms = 500

    def test_a_hang_ends_by_the_watchdog_and_is_rolled_back(self):
        self.start_trial(HANGS)
        for _ in (2, 3):
            self.assertIn("reset cause watchdog", self.next_boot())
        self.expect_rollback("watchdog")

    def test_an_image_cannot_switch_the_watchdog_off(self):
        self.put("A", PROBE)
        self.boot()
        self.board.send(b"w")
        self.board.wait_text("probe: tried to switch the watchdog off")
        self.assertIn("reset cause watchdog", self.next_boot())


class HangingBootloader(TrialTest):
    elf = Symbols(BIN / "pawl-boot.elf")

    def test_a_hang_ends_by_its_own_watchdog_and_no_image_is_blamed(self):
        self.prepare_trial(PROBE)
        guarded.leave_at(guarded.start(self.board, self.elf, 1000), self.elf.endless_loop())
        self.assertIn("reset cause power", self.board.wait_text("\n"))
        said = self.next_boot()
        self.assertIn("reset cause other", said)
        self.assertIn("B6 trial of slot B, version 2.0.0, attempt 1 of 3", said)
        self.board.wait_text("probe: slot B, mode trial, cause other")

    def test_an_image_over_which_the_watchdog_was_not_armed_is_watched_all_the_same(self):
        """A glitch skips the arming; the image hangs."""
        self.put("A", HANGS)
        gdb = guarded.start(self.board, self.elf, 3000)
        gdb.set_breakpoints([self.elf.function("pawl::board::ArmWatchdog(")])
        gdb.run()
        guarded.leave_at(gdb, gdb.registers().lr & ~1)
        self.assertIn("reset cause power", self.next_boot())
        self.assertIn("reset cause other", self.next_boot())

    def test_recovery_feeds_while_it_waits(self):
        gdb = guarded.start(self.board, self.elf, 3000)
        self.addCleanup(gdb.close)
        gdb.set_breakpoints([self.elf.function("pawl::board::FeedWatchdog(")])
        for _ in range(6):  # each second once
            gdb.run()
            gdb.step()
        gdb.close()
        self.assertIn("recovery: no slot holds an image that verifies", self.board.text())
        self.assertEqual(self.board.text().count("boot: pawl "), 1)


class Hardware(BoardTest):
    def running_probe(self):
        self.put("A", PROBE)
        self.boot()
        self.board.wait_text("probe: slot A")

    def test_the_flash_driver_holds_nor_s_rules(self):
        self.running_probe()
        self.board.send(b"f")
        said = self.board.wait_text("the flash holds what it should")
        for done in ("erase", "program", "clear more bits", "read"):
            self.assertIn(f"probe: {done}: done", said)
        self.assertIn("set a bit: invalid argument: flash: programming cannot set a bit, erase first: at 0x049007fe", said)
        self.assertIn("outside: invalid argument", said)
        start = flash_images.VIRT.slots["B"] + 2044
        self.assertEqual(self.nor.read(start, 9).hex(), "ff0f012233445566ff")

    def test_the_rom_cannot_be_written(self):
        before = self.board.rom.read_bytes()
        self.running_probe()
        self.board.send(b"o")
        self.board.wait_text("probe: the ROM is as it was")
        self.board.power_off()
        self.assertEqual(self.board.rom.read_bytes(), before)

    def test_an_exception_in_the_image_resets_at_once(self):
        self.running_probe()
        for letter, crash in ((b"u", "undefined instruction at 0x4100"), (b"d", "data access refused at 0x4100"),
                              (b"a", "tests/virt/probe_main.cc:"), (b"j", "instruction fetch refused at 0xf0000000")):
            with self.subTest(crash):
                self.board.send(letter)
                said = self.board.wait_text("boot: pawl ") + self.board.wait_text("\n")
                self.assertIn("crash: " + crash, said)
                self.assertIn("reset cause other", said)
                self.board.wait_text("probe: slot A")

    def test_without_its_watchdog_nothing_runs(self):
        self.put("A", PROBE)
        genuine = self.board.argv
        self.board.argv = lambda *kind: [a for a in genuine(*kind) if a not in ("-device", "i6300esb,addr=1")]
        self.board.power_on()
        self.board.wait_text("crash: no watchdog on the bus")
        self.board.power_off()
        self.assertNotIn("jumps", self.board.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
