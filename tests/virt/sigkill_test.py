#!/usr/bin/python3
"""The virt board loses its power at PAWL_KILLS random moments (200): QEMU is ended by SIGKILL while it boots, takes an image over
its serial line, seals it, marks it pending, tries it, confirms it or rolls back; the flash is the same file all the time.
After each kill the record on flash must be what the board acted on, and a verified image must be there to boot; at each
start the board must boot one. With PAWL_BOARDS, so many boards share the kills at once, each with its own file: faster.
PAWL_SEED repeats the choices, if not the machine's exact speed.

Needs the preset `virt` (cmake --preset virt && cmake --build --preset virt), or PAWL_VIRT_BUILD.
"""
import collections
import concurrent.futures
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
BOARDS = int(os.environ.get("PAWL_BOARDS", "1"))
SEED = int(os.environ.get("PAWL_SEED", random.randrange(1 << 32)))
CLASS = "virt-1"
IMAGES = {name: (BUILD / "firmware" / f"pawl-bare-{name}.bin").read_bytes()
          for name in ("1.0.0", "2.1.0", "2.2.0-selftest-fails", "2.2.2-crashes")}
SMALL = "2.2.2-crashes"
LARGE = ("2.1.0", "2.1.0", "2.2.0-selftest-fails")  # two seconds on the line
LARGE_SHARE = 0.06
# After which step of a life the power goes, and how long after it at most.
MOMENTS = (("power on", 0.5), ("started", 0.05), ("writing", 0.02), ("written", 0.01), ("sealed", 0.01), ("pending", 0.01),
           ("reset", 0.4), ("trial started", 0.15), ("confirmed", 0.02), ("settled", 0.01))
LIFE_S = {False: 0.7, True: 3.0}  # at most, if that step does not come: small image, large image
BOOTED = re.compile(r"boot: (B\d+) (?:slot|trial of slot) ([AB]), version (\d+)\.0\.0")
ATTEMPT = re.compile(r"boot: B[56] trial of slot ([AB]), version (\d+)\.0\.0, (power )?attempt (\d+) of")


class Board:
    """The machine, its driver, and what the driver knows that must be true."""

    def __init__(self, folder, rng):
        self.rng = rng
        self.machine = VirtMachine(folder, BUILD / "bin" / "pawl-boot.bin", forging.anchors(), forging.rom_identity(CLASS), 1000)
        self.nor = self.machine.nor
        self.genuine = {}  # envelope -> image
        self.sequence = 0
        self.asked = {"settle": set(), "pending": {}}  # trials and jobs; job -> digest
        self.kills = collections.Counter()
        image, envelope, _ = self.release("1.0.0")
        self.nor.write_slot("A", image, envelope)
        self.nor.write_record(boot_record.Record())

    def release(self, name):
        self.sequence += 1
        image = IMAGES[name]
        content = forging.manifest(image, CLASS, self.sequence)
        envelope = forging.envelope(content)
        self.genuine[envelope] = image
        return image, envelope, forging.manifest_digest(content)

    def verifies(self, slot):
        """By what lies on flash alone: a genuine envelope, and its very image."""
        start, size = flash_images.VIRT.slots[slot], flash_images.VIRT.slot_bytes
        trailer = self.nor.read(start + size - 8192, 8192)
        if trailer[:4] != b"PWE1":
            return False
        image = self.genuine.get(trailer[8:8 + struct.unpack("<I", trailer[4:8])[0]])
        return image is not None and self.nor.read(start, len(image)) == image

    # --- one life, from power to its loss ---

    def live(self, kill_after=None, large=False, deadline_s=None):
        """kill_after: (step, seconds); none: nothing is updated. Returns what the board said."""
        self.kill_after, self.large = kill_after, large
        seen = len(self.machine.text())
        self.machine.power_on()
        self.killer = threading.Timer(deadline_s or LIFE_S[large], self.machine.child.process.kill)
        self.killer.start()
        self.last_step = "nothing"
        line = None
        try:
            self.step("power on")
            line = SerialLine(self.machine.serial_path)
            self.drive(line)
        except (LabError, OSError):
            pass  # the power is gone
        finally:
            if kill_after:
                self.machine.child.process.wait(20)
            self.killer.cancel()
            if line:
                line.close()
            self.machine.power_off()
        return self.machine.text()[seen:]

    def step(self, name):
        self.last_step = name
        if self.kill_after and self.kill_after[0] == name:
            self.killer.cancel()
            self.killer = threading.Timer(self.kill_after[1], self.machine.child.process.kill)
            self.killer.start()
            self.kill_after = (None, 0)

    def drive(self, line):
        """As a gateway would: settles what is owed, brings updates, waits for what becomes of them."""
        while True:
            line.wait("Started")
            self.step("started")
            try:
                if self.after_start(line):
                    return
            except Refused:  # where the state does not fit
                line.ask("Reset")

    def after_start(self, line):
        """Whether that was all."""
        facts = line.facts()
        if MODES[facts["mode"]] != "normal":
            self.step("trial started")
            line.wait("Changed")
            self.step("confirmed")
        record = boot_record.decode(line.facts()["record"])
        if record.owed:
            self.asked["settle"].add((record.trial, record.job))
            line.ask("SettleRollback", trial=record.trial, job=record.job)
            self.step("settled")
        if self.kill_after is None:
            return True
        self.stage(line, *self.release(self.rng.choice(LARGE) if self.large else SMALL))
        line.ask("Reset")
        self.step("reset")
        return False

    def stage(self, line, image, envelope, digest):
        line.ask("Begin", manifest_digest=digest, image_bytes=len(image), envelope_bytes=len(envelope))
        middle = self.rng.randrange(0, len(image), WRITE_BYTES)
        for at in range(0, len(image), WRITE_BYTES):
            if at == middle:
                self.step("writing")
            line.ask("Write", offset=at, data=image[at:at + WRITE_BYTES])
        self.step("written")
        line.ask("Envelope", offset=0, data=envelope)
        line.ask("Seal")
        self.step("sealed")
        job = self.sequence
        self.asked["pending"][job] = digest
        line.ask("Pending", job=job, manifest_digest=digest)
        self.step("pending")


class Campaign:
    """One board, and what is checked about it."""

    def __init__(self, seed, kills):
        self.rng, self.kills, self.check = random.Random(seed), kills, unittest.TestCase()
        self.attempts, self.boots = collections.Counter(), collections.Counter()

    def run(self):
        with tempfile.TemporaryDirectory(prefix="pawl-kill-") as folder:
            self.board = board = Board(pathlib.Path(folder), self.rng)
            for number in range(self.kills):
                before = board.nor.record()
                step, most = self.rng.choice(MOMENTS)
                said = board.live((step, self.rng.uniform(0, most)), self.rng.random() < LARGE_SHARE)
                board.kills[board.last_step] += 1
                try:
                    self.check_record(board, before)
                    self.check_boots(board, said)
                except AssertionError as error:
                    raise AssertionError(f"kill {number}, after {board.last_step!r}: {error}\nbefore {before}\nnow {board.nor.record()}\n"
                                         f"{said}") from None
            self.finish(board)

    def check_record(self, board, before):
        now = board.nor.record()
        self.check.assertIsNotNone(now, "no valid record is left")
        self.check.assertLess((now.sequence - before.sequence) % 2**32, 2**31, "the record went back")
        self.check.assertTrue(board.verifies(now.confirmed), "the confirmed slot does not verify any more")
        self.check.assertLessEqual((now.attempts, now.power_attempts), (boot_record.MAX_ATTEMPTS, boot_record.MAX_POWER))
        self.check.assertEqual((now.emergency_reason, now.emergency_count), (0, 0))
        self.check.assertGreaterEqual(now.trial, before.trial)
        if now.pending:
            self.check.assertTrue(board.verifies(now.pending), "what is pending does not verify")
            self.check.assertEqual(board.asked["pending"].get(now.job), now.digest, "pending without having been asked for")
            self.check.assertFalse(now.owed)
        if now.pending and before.pending and now.trial == before.trial:
            self.check.assertLessEqual(now.attempts, before.attempts)
            self.check.assertLessEqual(now.power_attempts, before.power_attempts)
        if before.owed and (before.trial, before.job) not in board.asked["settle"]:
            self.check.assertEqual((now.owed, now.trial, now.job), (True, before.trial, before.job), "a debt is forgotten")
        if now.confirmed != before.confirmed:
            self.check.assertTrue(now.proven, "confirmed without a self-test")
        if before.pending and now.trial == before.trial and not now.pending and now.confirmed == before.confirmed:
            self.check.assertTrue(now.owed or (now.trial, now.job) in board.asked["settle"], "a trial ended in silence")

    def check_boots(self, board, said):
        for word in ("nothing runs", "record lost", "bug:", "does not start", "cannot be written", "second look"):
            self.check.assertNotIn(word, said)
        now = board.nor.record()
        for row, slot, version in BOOTED.findall(said):
            self.boots[row] += 1
        last = BOOTED.findall(said)[-1:]
        if last and last[0][1] in (now.confirmed, now.pending):
            self.check.assertTrue(board.verifies(last[0][1]), "what runs is not what was signed")
        for slot, version, power, number in ATTEMPT.findall(said):
            self.attempts[version, power] += 1
            most = boot_record.MAX_POWER if power else boot_record.MAX_ATTEMPTS
            self.check.assertLessEqual(self.attempts[version, power], most, f"one attempt too many of version {version}")
            # Counted before the jump: what was said was on flash already.
            if now.pending == slot and board.asked["pending"].get(now.job) == now.digest and str(now.job) == version:
                left = now.power_attempts if power else now.attempts
                self.check.assertLessEqual(left, most - int(number), "an attempt was made that is not counted")

    def finish(self, board):
        """Left in peace, the board runs a verified image, proven, and owes nothing."""
        board.live(deadline_s=10)
        record = board.nor.record()
        self.check.assertEqual((record.pending, record.owed, record.proven), (None, False, True))
        self.check.assertTrue(board.verifies(record.confirmed))


class Kills(unittest.TestCase):
    def test_boards_survive_the_loss_of_their_power_at_any_moment(self):
        print(f"PAWL_SEED={SEED}")
        begin = time.monotonic()
        campaigns = [Campaign(SEED + number, (KILLS + BOARDS - 1) // BOARDS) for number in range(BOARDS)]
        with concurrent.futures.ThreadPoolExecutor(BOARDS) as pool:
            for done in [pool.submit(campaign.run) for campaign in campaigns]:
                done.result()
        boots, kills = (sum((get(c) for c in campaigns), collections.Counter()) for get in
                        (lambda c: c.boots, lambda c: c.board.kills))
        where = ", ".join(f"{count} after {step!r}" for step, count in kills.most_common())
        rows = ", ".join(f"{row} {count}" for row, count in sorted(boots.items()))
        updates = sum(c.board.sequence - 1 for c in campaigns)
        print(f"{kills.total()} kills in {time.monotonic() - begin:.0f} s: {where}; boots by row: {rows}; {updates} updates begun")
        for row in ("B5", "B6", "B8"):
            self.assertGreater(boots[row], 0, "not what was to be cut")


if __name__ == "__main__":
    unittest.main(verbosity=2)
