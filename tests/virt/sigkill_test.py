#!/usr/bin/python3
"""The virt board loses its power at PAWL_KILLS random moments (200): QEMU is ended by SIGKILL while it boots, takes an image over
its serial line, seals it, marks it pending, tries it, confirms it or rolls back; the flash is the same file all the time.
After each kill the record on flash must be what the board acted on and what it told the driver, and a verified image must be
there to boot; at each start the board must boot one. PAWL_SEED repeats the choices, if not the machine's exact speed.

Needs the preset `virt` (cmake --preset virt && cmake --build --preset virt), or PAWL_VIRT_BUILD.
"""
import collections
import os
import pathlib
import random
import re
import struct
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from lab import boot_record, flash_images, forging  # noqa: E402
from lab.process import LabError  # noqa: E402
from lab.serial_line import MODES, WRITE_BYTES, Refused, SerialLine  # noqa: E402
from lab.virt import VirtMachine  # noqa: E402

BUILD = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt")
KILLS = int(os.environ.get("PAWL_KILLS", "200"))
SEED = int(os.environ.get("PAWL_SEED", random.randrange(1 << 32)))
CLASS = "virt-1"
WINDOW_MS = 500
SECTOR = 256 << 10
GOOD = "2.1.0"
BAD = ("2.2.2-crashes", "2.2.0-selftest-fails", "2.2.2-crashes", "2.2.0-selftest-fails", "2.2.1-hangs")
SMALL = "2.2.2-crashes"  # comes over the line as a whole, the others but for their first sector
LIFE_S = 0.05, 0.45  # a life's end is uniform between these;
LIFE_STARTS = 1.9    # the latter is so many times what a start takes here, if that is more: a host may be slow
BOOTED = re.compile(r"boot: (B\d+) (?:slot|trial of slot) ([AB]), version (\d+)\.0\.0")
ATTEMPT = re.compile(r"boot: B[56] trial of slot ([AB]), version (\d+)\.0\.0, (power )?attempt (\d+) of")


class Release:
    def __init__(self, name, sequence):
        image = (BUILD / "firmware" / f"pawl-bare-{name}.bin").read_bytes()
        self.small = name == SMALL
        self.good = name == GOOD
        self.sequence = sequence  # its job's number too
        self.image = image if self.small else image.ljust(SECTOR, b"\x5a") + struct.pack("<I", sequence) * 32
        content = forging.manifest(self.image, CLASS, sequence)
        self.envelope = forging.envelope(content)
        self.digest = forging.manifest_digest(content)


class Board:
    """The machine, its driver, and what the driver knows that must be true."""

    def __init__(self, folder, rng):
        self.rng = rng
        self.machine = VirtMachine(folder, BUILD / "bin" / "pawl-boot.bin", forging.anchors(), forging.rom_identity(CLASS), WINDOW_MS)
        self.nor = self.machine.nor
        self.genuine = {}  # envelope -> image
        self.sequence = 0
        self.settling = set()  # trials and jobs that were asked to be settled
        self.pending = {}  # job -> digest, as asked
        self.refused = collections.Counter()
        first = self.release(GOOD)
        self.nor.write_slot("A", first.image, first.envelope)
        self.nor.write_record(boot_record.Record())
        self.next = None  # the update to bring
        self.told = []  # of this life: records out of Facts
        self.sealed = None  # slot that must verify: Seal was done, and no Begin since
        self.acknowledged = {}  # what must hold: by "job", "settled", "confirmed"

    def release(self, name):
        self.sequence += 1
        release = Release(name, self.sequence)
        self.genuine[release.envelope] = release.image
        return release

    def plan(self, record, good=None):
        """The update that comes next: the same one until it is a trial."""
        if self.next is None or self.next.sequence == record.job or (good and not self.next.good):
            was_good = self.next is not None and self.next.good
            self.next = self.release(GOOD if good or not was_good else self.rng.choice(BAD))
        return self.next

    def bring_first_sector(self, record):
        """A large image takes ten seconds on the line: all but its end came in an earlier life, after Begin had erased the slot."""
        slot, release = "B" if record.confirmed == "A" else "A", self.next
        start = self.nor.layout.slots[slot]
        if not record.pending and not release.small and self.nor.read(start, SECTOR) != release.image[:SECTOR]:
            self.nor.erase_slot(slot)
            self.nor.write(start, release.image[:SECTOR])
            self.sealed = None

    def verifies(self, slot):
        """By what lies on flash alone: a genuine envelope, and its very image."""
        start, size = flash_images.VIRT.slots[slot], flash_images.VIRT.slot_bytes
        trailer = self.nor.read(start + size - 8192, 8192)
        if trailer[:4] != b"PWE1":
            return False
        image = self.genuine.get(trailer[8:8 + struct.unpack("<I", trailer[4:8])[0]])
        return image is not None and self.nor.read(start, len(image)) == image

    # --- one life, from power to its loss ---

    def live(self, kill_after_s=None, good=False, deadline_s=120.0):
        """good: until an update that it brings is confirmed; then the deadline is one for the whole. Returns what the board
        said."""
        record = self.nor.record()
        self.plan(record, good)
        self.bring_first_sector(record)
        self.good, self.told, self.started_s, self.doing = good, [], None, "bootloader"
        seen, begin, line = len(self.machine.text()), time.monotonic(), None
        self.machine.power_on()
        killer = threading.Timer(kill_after_s or deadline_s, self.machine.child.process.kill)
        killer.start()
        try:
            while not self.machine.serial_path.exists():
                if not self.machine.child.running:
                    raise LabError("QEMU has ended")
                time.sleep(0.002)
            line = SerialLine(self.machine.serial_path, 0.2)
            line.deadline_s = deadline_s
            line.wait("Started")
            self.started_s = time.monotonic() - begin
            self.drive(line)
        except (LabError, OSError) as error:
            if kill_after_s is None:
                raise AssertionError(f"{error}; it said:\n{self.machine.text()[seen:]}") from None
        finally:
            if kill_after_s:
                self.machine.child.process.wait(20)
            killer.cancel()
            killer.join()
            if line:
                line.close()
            self.machine.power_off()
        said = self.machine.text()[seen:]
        if not said:
            self.doing = "before the first instruction"
        return said

    def drive(self, line):
        """As a gateway would: settles what is owed, brings updates, waits for what becomes of them."""
        while True:
            try:
                if self.after_start(line):
                    return
            except Refused as refused:  # where the state does not fit
                self.refused[str(refused)] += 1
                line.ask("Reset")
            self.doing = "bootloader"
            line.wait("Started")

    def record(self, line):
        facts = line.facts()
        self.told.append(boot_record.decode(facts["record"]))
        return facts, self.told[-1]

    def after_start(self, line):
        """Whether that was all."""
        facts, record = self.record(line)
        if MODES[facts["mode"]] != "normal":
            self.doing = "trial"
            if line.wait_first(("Changed", "Started"))[0] == "Started":  # it hung
                return self.after_start(line)
            facts, record = self.record(line)
            self.doing = "bootloader"
            if record is None or record.pending or record.confirmed != "AB"[facts["slot"]]:
                return False  # another start: it said Changed before its reset, or was not asked in time
            self.acknowledged["confirmed"] = (record.trial, record.confirmed)
            # A trial that was under way when the kills ended may be confirmed first; then comes the one that this life brings.
            if self.good and record.job == self.next.sequence:
                return True
        self.doing = "idle"
        if record.owed:
            self.settling.add((record.trial, record.job))
            line.ask("SettleRollback", trial=record.trial, job=record.job)
            self.acknowledged["settled"] = record.trial
        self.stage(line, self.plan(record, self.good), "B" if facts["slot"] == 0 else "A")
        line.ask("Reset")
        return False

    def stage(self, line, release, slot):
        self.doing = "staging"
        image = release.image
        self.sealed = None
        line.ask("Begin", manifest_digest=release.digest, image_bytes=len(image), envelope_bytes=len(release.envelope))
        for at in range(line.held(image), len(image), WRITE_BYTES):
            line.ask("Write", offset=at, data=image[at:at + WRITE_BYTES])
        line.ask("Envelope", offset=0, data=release.envelope)
        self.doing = "sealing"
        line.ask("Seal")
        self.sealed = slot
        self.doing = "marking pending"
        self.pending[release.sequence] = release.digest
        line.ask("Pending", job=release.sequence, manifest_digest=release.digest)
        self.acknowledged["job"] = release.sequence
        self.doing = "idle"


class Kills(unittest.TestCase):
    maxDiff = None

    def test_the_board_survives_the_loss_of_its_power_at_any_moment(self):
        print(f"PAWL_SEED={SEED}")
        self.rng, begin = random.Random(SEED), time.monotonic()
        self.kills, self.attempts, self.rows = collections.Counter(), collections.Counter(), collections.Counter()
        self.confirmed, self.rolled_back = set(), set()
        with tempfile.TemporaryDirectory(prefix="pawl-kill-") as folder:
            board = Board(pathlib.Path(folder), self.rng)
            starts = collections.deque([0.2], 15)
            for number in range(KILLS):
                before = board.nor.record()
                most = max(LIFE_S[1], LIFE_STARTS * sorted(starts)[len(starts) // 2])
                said = board.live(LIFE_S[0] + self.rng.random() * (most - LIFE_S[0]))
                if board.started_s:
                    starts.append(board.started_s)
                self.kills[board.doing] += 1
                self.check(f"kill {number}, {board.doing}", board, before, said)
            before = board.nor.record()
            self.check("left in peace", board, before, board.live(good=True))
            record = board.nor.record()
            self.assertEqual((record.pending, record.owed, record.proven), (None, False, True))
            self.assertEqual(record.job, board.next.sequence)
        where = ", ".join(f"{place} {count}" for place, count in self.kills.most_common())
        rows = ", ".join(f"{row} {count}" for row, count in sorted(self.rows.items()))
        print(f"{self.kills.total()} kills in {time.monotonic() - begin:.0f} s: {where}; boots by row: {rows}; updates confirmed "
              f"{len(self.confirmed)}, rolled back {len(self.rolled_back)}; refused: {dict(board.refused)}")
        self.assertEqual(self.kills.total(), KILLS)
        self.assertGreater(len(self.confirmed), 1)  # the last one had no kills
        self.assertGreater(len(self.rolled_back), 0)

    def check(self, when, board, before, said):
        now = board.nor.record()
        try:
            self.assertIsNotNone(now, "no valid record is left")
            states = [before, *board.told, now]
            for earlier, later in zip(states, states[1:]):
                self.assertIsNotNone(later, "a board without a record")
                self.check_step(board, earlier, later)
            self.check_state(board, now)
            self.check_acknowledged(board, now)
            self.check_boots(board, said, now)
        except AssertionError as error:
            raise AssertionError(f"{when}: {error}\nbefore {before}\ntold {board.told}\nnow {now}\n"
                                 f"acknowledged {board.acknowledged}\n{said}") from None

    def check_state(self, board, now):
        self.assertTrue(board.verifies(now.confirmed), "the confirmed slot does not verify any more")
        self.assertLessEqual(now.attempts, boot_record.MAX_ATTEMPTS)
        self.assertLessEqual(now.power_attempts, boot_record.MAX_POWER)
        self.assertEqual((now.emergency_reason, now.emergency_count, now.floor), (0, 0, 0))
        self.assertTrue(now.proven)
        if now.pending:
            self.assertTrue(board.verifies(now.pending), "what is pending does not verify")
            self.assertEqual(board.pending.get(now.job), now.digest, "pending without having been asked for")
            self.assertFalse(now.owed)
        if board.sealed:
            self.assertTrue(board.verifies(board.sealed), "what was sealed does not verify")

    def check_step(self, board, before, now):
        """Whatever happened between two states of the record."""
        self.assertLess((now.sequence - before.sequence) % 2**32, 2**31, "the record went back")
        if now.sequence == before.sequence:
            self.assertEqual(now, before, "a state that was acted on is another now")
        self.assertGreaterEqual(now.trial, before.trial, "a trial's number went back")
        settled = (before.trial, before.job) in board.settling
        if before.owed and not settled:
            self.assertTrue(now.owed, "a debt is forgotten")
            self.assertEqual((now.trial, now.job, now.reason), (before.trial, before.job, before.reason), "a debt is another now")
        if now.trial == before.trial:
            self.assertEqual((now.job, now.digest), (before.job, before.digest))
            self.assertLessEqual(now.attempts, before.attempts, "attempts came back")
            self.assertLessEqual(now.power_attempts, before.power_attempts, "power attempts came back")
            if before.pending and not now.pending and now.confirmed == before.confirmed:
                self.assertTrue(now.owed or (now.trial, now.job) in board.settling, "a trial ended in silence")
            if not before.pending:
                self.assertEqual((now.pending, now.confirmed), (None, before.confirmed), "an ended trial is back")
        if now.owed:
            self.rolled_back.add(now.trial)
        if now.confirmed != before.confirmed:
            self.confirmed.add(now.trial)

    def check_acknowledged(self, board, now):
        """What was told to the driver is on flash."""
        if "job" in board.acknowledged:
            self.assertGreaterEqual(now.job, board.acknowledged["job"], "pending was told, and is not on flash")
        if board.acknowledged.get("settled") == now.trial:
            self.assertFalse(now.owed, "a settled debt is back")
        trial, slot = board.acknowledged.get("confirmed", (None, None))
        if trial == now.trial:
            self.assertEqual((now.confirmed, now.pending), (slot, None), "confirmed was told, and is not on flash")

    def check_boots(self, board, said, now):
        for word in ("nothing runs", "recovery", "record lost", "bug:", "does not start", "cannot be written", "second look"):
            self.assertNotIn(word, said)
        booted = BOOTED.findall(said)
        self.rows.update(row for row, _, _ in booted)
        if booted and booted[-1][1] in (now.confirmed, now.pending):
            self.assertTrue(board.verifies(booted[-1][1]), "what runs is not what was signed")
        for slot, version, power, number in ATTEMPT.findall(said):
            self.attempts[version, power] += 1
            most = boot_record.MAX_POWER if power else boot_record.MAX_ATTEMPTS
            self.assertLessEqual(self.attempts[version, power], most, f"one attempt too many of version {version}")
            # Counted before the jump: what was said was on flash already.
            if now.pending == slot and str(now.job) == version:
                left = now.power_attempts if power else now.attempts
                self.assertLessEqual(left, most - int(number), "an attempt was made that is not counted")


if __name__ == "__main__":
    unittest.main(verbosity=2)
