"""A client of the gdb remote protocol over a unix socket: what a test needs of it to look into a QEMU machine with an ARM
core, to change it, and to run it up to a place. No gdb needed. Every wait has a deadline."""
import socket
import struct
import time

from .process import LabError

MEMORY_BYTES_MAX = 1900  # QEMU's packets are at most 4096 bytes, and a byte of memory is two digits
CPSR = 25                # its number in the protocol
T_BIT = 1 << 5
PATIENCE_S = 20.0


class Timeout(LabError):
    """The machine did not stop in time; it still runs."""


class Registers:
    """r0 to r15 and cpsr of a core that stands."""

    def __init__(self, words):
        self.r = list(words[:16])
        self.cpsr = words[16]

    @property
    def pc(self):
        return self.r[15]

    @property
    def sp(self):
        return self.r[13]

    @property
    def lr(self):
        return self.r[14]

    def copy(self):
        return Registers([*self.r, self.cpsr])


class GdbRemote:
    def __init__(self, path, deadline_s=PATIENCE_S):
        """Connects to QEMU's `-gdb unix:PATH,server=on`; the machine stands from then on."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.buffer = b""
        self.breakpoints = set()
        self._connect(path, deadline_s)
        # Without the description of the registers QEMU answers `g` in an old layout.
        self.ask("qSupported:xmlRegisters=arm")
        self.ask("qXfer:features:read:target.xml:0,ffb")
        # A machine that ran tells by itself that it stands now, before any of these answers or after.
        self._send("?", "qAttached")
        while self._packet(PATIENCE_S) not in ("0", "1"):
            pass

    def _connect(self, path, deadline_s):
        end = time.monotonic() + deadline_s
        while True:
            try:
                self.socket.connect(str(path))
                return
            except OSError as error:
                if time.monotonic() > end:
                    self.socket.close()
                    raise LabError(f"no gdb stub at {path}: {error}") from None
                time.sleep(0.01)

    def close(self):
        self.socket.close()

    # --- packets ---

    def _send(self, *texts):
        packets = b""
        for text in texts:
            body = text.encode()
            # The plus acknowledges the last answer; QEMU waits for it only when the next packet comes.
            packets += b"+$%s#%02x" % (body, sum(body) & 0xFF)
        self.socket.sendall(packets)

    def _packet(self, deadline_s):
        """The next packet's text."""
        end = time.monotonic() + deadline_s
        while True:
            start = self.buffer.find(b"$")
            stop = self.buffer.find(b"#", start)
            if start >= 0 and 0 <= stop <= len(self.buffer) - 3:
                body = self.buffer[start + 1:stop]
                self.buffer = self.buffer[stop + 3:]
                return self._unpack(body)
            left = end - time.monotonic()
            if left <= 0:
                raise Timeout(f"no answer of the machine within {deadline_s:g} s")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            if not data:
                raise LabError("QEMU closed the connection of its gdb stub")
            self.buffer += data

    @staticmethod
    def _unpack(body):
        """Run lengths (`*`) and escapes (`}`) undone."""
        if b"*" not in body and b"}" not in body:
            return body.decode("latin-1")
        out, at = bytearray(), 0
        while at < len(body):
            if body[at] == 0x7D:
                out.append(body[at + 1] ^ 0x20)
                at += 2
            elif body[at] == 0x2A:
                out += bytes([out[-1]]) * (body[at + 1] - 29)
                at += 2
            else:
                out.append(body[at])
                at += 1
        return out.decode("latin-1")

    def ask(self, text, expected=None, deadline_s=PATIENCE_S):
        self._send(text)
        return self._answer(text, expected, deadline_s)

    def _answer(self, text, expected, deadline_s=PATIENCE_S):
        answer = self._packet(deadline_s)
        if expected is not None and answer != expected:
            raise LabError(f"the gdb stub answered {answer!r} to {text[:40]!r}")
        return answer

    def ask_all(self, texts):
        """Several at once, each to be answered with OK: the way to the stub and back is what takes the time."""
        self._send(*texts)
        for text in texts:
            self._answer(text, "OK")

    # --- registers and memory ---

    def registers(self):
        return Registers(struct.unpack("<17I", bytes.fromhex(self.ask("g")[:17 * 8])))

    def set_registers(self, registers):
        """Also the mode."""
        self.ask_all(self._register_packets(registers))

    @staticmethod
    def _register_packets(registers):
        """cpsr goes first, because r13 and r14 are banked."""
        return [f"P{CPSR:x}={struct.pack('<I', registers.cpsr).hex()}",
                "G" + struct.pack("<17I", *registers.r, registers.cpsr).hex()]

    def register(self, number):
        return struct.unpack("<I", bytes.fromhex(self.ask(f"p{number:x}")))[0]

    def set_register(self, number, value):
        self.ask(f"P{number:x}={struct.pack('<I', value & 0xFFFFFFFF).hex()}", "OK")

    def read(self, address, size):
        data = bytearray()
        while len(data) < size:
            part = min(size - len(data), MEMORY_BYTES_MAX)
            answer = self.ask(f"m{address + len(data):x},{part:x}")
            if len(answer) != 2 * part:
                raise LabError(f"no memory at {address + len(data):#x}: {answer}")
            data += bytes.fromhex(answer)
        return bytes(data)

    def read_all(self, places):
        """The bytes at each (address, size), asked for at once."""
        texts = [f"m{address:x},{size:x}" for address, size in places]
        self._send(*texts)
        return [bytes.fromhex(self._answer(text, None)) for text in texts]

    def write(self, address, data):
        """Even where the core cannot write: QEMU's stub goes past the protection of ROM and flash."""
        for at in range(0, len(data), MEMORY_BYTES_MAX):
            part = data[at:at + MEMORY_BYTES_MAX]
            self.ask(f"M{address + at:x},{len(part):x}:{part.hex()}", "OK")

    def word(self, address):
        return struct.unpack("<I", self.read(address, 4))[0]

    def monitor(self, command):
        """A command of QEMU's monitor; what it printed."""
        answer, output = self.ask("qRcmd," + command.encode().hex()), ""
        while answer[:1] == "O" and answer != "OK":
            output += bytes.fromhex(answer[1:]).decode()
            answer = self._packet(PATIENCE_S)
        return output

    # --- running ---

    def set_breakpoints(self, addresses):
        """These, and no others."""
        wanted = {address & ~1 for address in addresses}
        self.ask_all([f"z0,{address:x},2" for address in self.breakpoints - wanted] +
                     [f"Z0,{address:x},2" for address in wanted - self.breakpoints])
        self.breakpoints = wanted

    def step(self, registers=None):
        """One instruction; with `registers`: from there."""
        self._go("s", registers)
        self._stopped(self._packet(PATIENCE_S))

    def run(self, deadline_s=PATIENCE_S, registers=None):
        """Until a breakpoint; the address at which the core stands. Timeout: the machine was stopped where it was."""
        self.start(registers)
        if not self.stopped(deadline_s):
            self.stop()
            raise Timeout(f"the machine did not stop within {deadline_s:g} s")
        return self.register(15)

    def start(self, registers=None):
        """Lets it run; with `registers`: from there. stopped() or stop() is to follow."""
        self._go("c", registers)

    def _go(self, how, registers):
        packets = self._register_packets(registers) if registers else []
        self._send(*packets, how)
        for packet in packets:
            self._answer(packet, "OK")

    def stopped(self, deadline_s):
        """Whether the machine, once started, stands within this time."""
        try:
            self._stopped(self._packet(deadline_s))
            return True
        except Timeout:
            return False

    def stop(self):
        self.socket.sendall(b"\x03")
        self._stopped(self._packet(PATIENCE_S))

    @staticmethod
    def _stopped(answer):
        if answer[:1] not in ("T", "S"):
            raise LabError(f"the machine ended: {answer!r}")
