"""The boot record's cells, read and written a second time from docs/spec/boot.md, "Cell" and "Storage"."""
import dataclasses
import struct
import zlib

CELL = 128
MAX_ATTEMPTS = 3
MAX_POWER = 8
A, B, NONE, YES, NO = 0x5A5A5A5A, 0xA5A5A5A5, 0x3C3C3C3C, 0x66666666, 0x99999999
SLOT_WORDS = {"A": A, "B": B, None: NONE}
SLOTS = {word: slot for slot, word in SLOT_WORDS.items()}
BOOLS = {YES: True, NO: False}
# What stands before the reserved bytes.
FIELDS = struct.Struct("<4sIIIIIBBHIQIHHI")

REASON_NOTHING_BOOTABLE, REASON_RECORD_LOST, REASON_CONFIRMED_INVALID = "nothing bootable", "boot record lost", "confirmed image invalid"


@dataclasses.dataclass
class Record:
    sequence: int = 1
    confirmed: str = "A"
    proven: bool = True
    pending: str | None = None
    started: bool = False
    attempts: int = 0
    power_attempts: int = 0
    reason: int = 0
    trial: int = 0
    job: int = 0
    owed: bool = False
    emergency_reason: int = 0
    emergency_count: int = 0
    floor: int = 0
    digest: bytes = bytes(32)
    detail: bytes = b""

    def encode(self):
        word = {True: YES, False: NO}
        cell = FIELDS.pack(b"PWR1", self.sequence, SLOT_WORDS[self.confirmed], word[self.proven], SLOT_WORDS[self.pending],
                           word[self.started], self.attempts, self.power_attempts, self.reason, self.trial, self.job,
                           word[self.owed], self.emergency_reason, self.emergency_count, self.floor)
        cell = cell.ljust(64, b"\xff") + self.digest + self.detail.ljust(28, b"\xff")
        return cell + struct.pack("<I", zlib.crc32(cell))


def decode(cell):
    """The record of a valid cell, else None."""
    if len(cell) != CELL or zlib.crc32(cell[:124]) != struct.unpack("<I", cell[124:])[0]:
        return None
    (magic, sequence, confirmed, proven, pending, started, attempts, power, reason, trial, job, owed, emergency, count,
     floor) = FIELDS.unpack(cell[:FIELDS.size])
    if magic != b"PWR1" or confirmed not in (A, B) or pending not in SLOTS or any(w not in BOOLS for w in (proven, started, owed)):
        return None
    detail = cell[96:124].rstrip(b"\xff")
    if set(cell[52:64]) != {0xFF} or not all(0x20 <= c < 0x7F for c in detail):
        return None
    return Record(sequence, SLOTS[confirmed], BOOLS[proven], SLOTS[pending], BOOLS[started], attempts, power, reason, trial,
                  job, BOOLS[owed], emergency, count, floor, cell[64:96], detail)


def newest(region, sector_bytes):
    """The state that two sectors hold: the highest sequence number, by serial arithmetic. None: no valid cell."""
    best = None
    blank = b"\xff" * CELL
    for at in range(0, 2 * sector_bytes, CELL):
        cell = region[at:at + CELL]
        record = None if cell == blank else decode(cell)
        if record and (best is None or 0 < (record.sequence - best.sequence) % 2**32 < 2**31):
            best = record
    return best


def sectors(record, sector_bytes, copies=2):
    """Two sectors as they stand after one commit (S2: twice side by side)."""
    return (record.encode() * copies).ljust(sector_bytes, b"\xff") + b"\xff" * sector_bytes


def reasons(path):
    """Text of a reason -> its number, from base/reasons.def."""
    import re
    return {text: int(number) for number, text in re.findall(r'PAWL_REASON\((\d+), \w+, "([^"]*)"', path.read_text())}
