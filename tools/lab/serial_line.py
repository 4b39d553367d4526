"""The serial line to a child, written a second time from docs/spec/serial.md: frames, messages, and the gateway's part."""
import hashlib
import select
import socket
import struct
import time
import zlib

from .process import LabError

# Message: kind and fields. A number of bytes is a field of just those bytes.
REQUESTS = {
    "AskFacts": (0x01, []), "Begin": (0x02, [("manifest_digest", 32), ("image_bytes", "Q"), ("envelope_bytes", "I")]),
    "HashStaged": (0x03, [("offset", "Q"), ("bytes", "Q")]), "Write": (0x04, [("offset", "Q"), ("data", "rest")]),
    "Envelope": (0x05, [("offset", "I"), ("data", "rest")]), "Seal": (0x06, []),
    "Pending": (0x07, [("job", "Q"), ("manifest_digest", 32)]), "SettleRollback": (0x08, [("trial", "I"), ("job", "Q")]),
    "SettleEmergency": (0x09, [("count", "H")]), "RaiseFloor": (0x0A, [("value", "I")]), "Reset": (0x0B, []),
    "Nonce": (0x0C, [("nonce", 16), ("relay", "B")]),
}
FACTS = [("version", "B"), ("boot", 16), ("slot", "B"), ("mode", "B"), ("cause", "B"), ("trial", "I"), ("security_version", "I"),
         ("watchdog_ms", "I"), ("record", 128), ("image_digest", 32), ("manifest_digest", 32), ("sequence", "Q"),
         ("trial_budget_s", "I"), ("rom_digest", 32), ("slot_bytes", "Q"), ("sector_bytes", "I"), ("tests", "B"),
         ("image_version", "text"), ("tests_detail", "text")]
FROM_CHILD = {
    0x81: ("Facts", FACTS), 0x82: ("Staged", [("image_bytes", "Q"), ("envelope_bytes", "I")]), 0x83: ("Hashed", [("digest", 32)]),
    0x84: ("Done", []), 0x85: ("Refused", [("reason", "H"), ("detail", "text")]), 0xC1: ("Started", [("boot", 16)]),
    0xC2: ("Changed", []), 0xC3: ("NonceWanted", [("nonce", 16)]),
}
FRESH, NO_PLATFORM = 0, 1
MODES = ["normal", "trial", "unproven"]
TESTS = ["none", "running", "passed", "failed"]
WRITE_BYTES = 1024


class Refused(Exception):
    def __init__(self, reason, detail):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def frame(payload):
    data = payload + struct.pack("<I", zlib.crc32(payload))
    out = bytearray([0])
    for i, run in enumerate(data.split(b"\0")):
        for at in range(0, len(run) - 253, 254):
            out += b"\xff" + run[at:at + 254]
        rest = len(run) % 254
        if rest or not run or i < data.count(0):
            out += bytes([rest + 1]) + run[len(run) - rest:]
    return bytes(out + b"\0")


def unframe(code):
    """The payload of what stands between two zeros; None if it is damaged."""
    out, at = bytearray(), 0
    while at < len(code):
        run = code[at]
        if at + run > len(code):
            return None
        out += code[at + 1:at + run]
        at += run
        if run < 255 and at < len(code):
            out.append(0)
    if len(out) < 4 or zlib.crc32(out[:-4]) != struct.unpack("<I", out[-4:])[0]:
        return None
    return bytes(out[:-4])


def encode(name, number, **values):
    kind, fields = REQUESTS[name]
    payload = bytes([kind, number])
    for field, form in fields:
        value = values.pop(field)
        payload += value if form == "rest" or isinstance(form, int) else struct.pack("<" + form, value)
    assert not values, values
    return payload


def decode(payload):
    """(name, number, fields)."""
    name, fields = FROM_CHILD[payload[0]]
    values, at = {}, 2
    for field, form in fields:
        if isinstance(form, int):
            size = form
        elif form == "text":
            size, at = payload[at], at + 1
        else:
            size = struct.calcsize("<" + form)
        piece, at = payload[at:at + size], at + size
        assert len(piece) == size, f"{name}: {field} is cut off"
        values[field] = piece if isinstance(form, int) else piece.decode("ascii") if form == "text" else struct.unpack("<" + form, piece)[0]
    assert at == len(payload), f"{name}: bytes behind its end"
    return name, payload[1], values


class SerialLine:
    """A gateway, in one thread: asks, waits for the answer, and answers NonceWanted meanwhile."""

    def __init__(self, path, deadline_s=20.0):
        self.socket = socket.socket(socket.AF_UNIX)
        until = time.monotonic() + deadline_s
        while self.socket.connect_ex(str(path)) != 0:
            if time.monotonic() > until:
                raise LabError(f"nobody listens at {path}")
            time.sleep(0.01)
        self.deadline_s = deadline_s
        self.relay = FRESH  # what NonceWanted is answered with; None: nothing
        self.told = []      # tellings that came: (name, fields)
        self.number = 0
        self._code = None   # of the frame under way
        self._messages = []

    def close(self):
        self.socket.close()

    def _receive(self, until):
        if not select.select([self.socket], [], [], max(0, until - time.monotonic()))[0]:
            raise LabError(f"the child says nothing; it told {[name for name, _ in self.told]}")
        data = self.socket.recv(65536)
        if not data:
            raise LabError("the line is closed")
        for byte in data:
            if byte:
                if self._code is not None:
                    self._code.append(byte)
                continue
            payload = unframe(bytes(self._code)) if self._code else None
            self._code = None if payload is not None else bytearray()
            if payload is not None:
                self._take(*decode(payload))

    def _take(self, name, number, fields):
        if name in ("Started", "Changed", "NonceWanted"):
            self.told.append((name, fields))
            if name == "NonceWanted" and self.relay is not None:
                self._send("Nonce", nonce=fields["nonce"], relay=self.relay)
        else:
            self._messages.append((name, number, fields))

    def _send(self, name, **values):
        self.number = (self.number + 1) % 256
        self.socket.sendall(frame(encode(name, self.number, **values)))

    def ask(self, request, **values):
        """The answer's fields. Raises Refused."""
        self._send(request, **values)
        number, until = self.number, time.monotonic() + self.deadline_s
        while True:
            while self._messages:
                name, got, fields = self._messages.pop(0)
                if got == number:
                    if name == "Refused":
                        raise Refused(**fields)
                    return fields
            self._receive(until)

    def wait(self, name, accept=lambda fields: True):
        """The next telling of this name that is accepted; those before are dropped."""
        return self.wait_first((name,), accept)[1]

    def wait_first(self, names, accept=lambda fields: True):
        """The same of whichever comes first: its name, its fields."""
        until = time.monotonic() + self.deadline_s
        while True:
            while self.told:
                told, fields = self.told.pop(0)
                if told in names and accept(fields):
                    return told, fields
            self._receive(until)

    def facts(self):
        return self.ask("AskFacts")

    def stage(self, image, envelope, manifest_digest):
        """Begin, then what is not there yet."""
        self.ask("Begin", manifest_digest=manifest_digest, image_bytes=len(image), envelope_bytes=len(envelope))
        start = self.held(image)
        for at in range(start, len(image), WRITE_BYTES):
            self.ask("Write", offset=at, data=image[at:at + WRITE_BYTES])
        for at in range(0, len(envelope), WRITE_BYTES):
            self.ask("Envelope", offset=at, data=envelope[at:at + WRITE_BYTES])
        return start

    def held(self, image):
        """How much of the image the staging slot holds already, in whole sectors."""
        sector = self.facts()["sector_bytes"]
        part = min(sector, 65536)
        for start in range(0, len(image) - sector, sector):
            for at in range(start, start + sector, part):
                if self.ask("HashStaged", offset=at, bytes=part)["digest"] != hashlib.sha256(image[at:at + part]).digest():
                    return start
        return (len(image) - 1) // sector * sector if len(image) > sector else 0
