"""A bootloader under QEMU's gdb stub in which single instructions can be skipped: golden traces, snapshots of registers and
memory, and the end of each run. Nothing here knows what a boot should do: skip_test.py does."""
import bisect
import functools
import pathlib
import re
import struct
import subprocess
import tempfile

from lab.gdb_remote import GdbRemote, Registers
from lab.process import LabError

NM, OBJDUMP = "arm-none-eabi-nm", "arm-none-eabi-objdump"
TRACE_LINE = re.compile(rb"^Trace \d+: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/", re.MULTILINE)
IT_LOW, IT_HIGH = 0x0600_0000, 0x0000_FC00  # the If-Then state in cpsr: bits 1:0, bits 7:2

# ARM code that copies by a table at r11 of (from, to, times 32 bytes), up to a row of no bytes, and then stops.
# Before that it stores r9 at r12 and at r8, with the system's control register set to r7, and then sets that to r10.
COPY = struct.pack("<13I",
                   0xEE017F10,   #       mcr p15, 0, r7, c1, c0, 0
                   0xE58C9000,   #       str r9, [r12]
                   0xE5889000,   #       str r9, [r8]
                   0xEE01AF10,   #       mcr p15, 0, r10, c1, c0, 0
                   0xE8BB0007,   # next: ldmia r11!, {r0, r1, r2}
                   0xE3520000,   #       cmp r2, #0
                   0x0A000004,   #       beq end
                   0xE8B007F8,   # loop: ldmia r0!, {r3-r10}
                   0xE8A107F8,   #       stmia r1!, {r3-r10}
                   0xE2522001,   #       subs r2, r2, #1
                   0x1AFFFFFB,   #       bne loop
                   0xEAFFFFF7,   #       b next
                   0xEA0003F2)   # end:  b COPY_END
POKED = 0x98
TABLE_BYTES = 0x100
# Where the core stops. In a page of its own: QEMU runs a page with a breakpoint an instruction at a time.
COPY_END, HOOKS, HOOK_BYTES = 0x1000, 0x1010, 16
LOOP = struct.pack("<I", 0xE7FEE7FE)  # Thumb; ARM code comes to COPY_END only, which has its breakpoint
SHADOW = 0x2000
MARK = 0x90           # in the scratch RAM: runs only to stand in a trace
NOP = struct.pack("<2I", 0xE1A00000, 0xE1A00000)
MMU = 1  # in the system's control register
PRIVILEGED = 0x1D3  # supervisor mode, everything masked, ARM state


class Symbols:
    """The functions of an ELF file."""

    def __init__(self, elf):
        text = subprocess.run([NM, "-CS", "--defined-only", str(elf)], capture_output=True, text=True, timeout=60, check=True).stdout
        self.elf = elf
        self.functions = {}  # start -> (end, name)
        self.addresses = {}  # any symbol
        for line in text.splitlines():
            sized = re.match(r"([0-9a-f]{8}) ([0-9a-f]{8}) [tTwWVi] (.*)", line)
            if sized:
                start = int(sized[1], 16) & ~1
                self.functions[start] = (start + int(sized[2], 16), sized[3])
            plain = re.match(r"([0-9a-f]{8}) (?:[0-9a-f]{8} )?\w (.*)", line)
            if plain:
                self.addresses.setdefault(plain[2], int(plain[1], 16))
        self.starts = sorted(self.functions)

    def name(self, address):
        """Of the function that holds this address; "" if none does."""
        at = bisect.bisect_right(self.starts, address) - 1
        if at < 0:
            return ""
        end, name = self.functions[self.starts[at]]
        return name if address < end else ""

    def function(self, prefix):
        """The start of the one function whose demangled name starts with this."""
        found = {start for start, (_, name) in self.functions.items() if name.startswith(prefix)}
        if len(found) != 1:
            raise LabError(f"{len(found)} functions are called {prefix}...")
        return found.pop()

    @functools.cached_property
    def instruction_bytes(self):
        """address -> 2 or 4, of each instruction."""
        text = subprocess.run([OBJDUMP, "-d", str(self.elf)], capture_output=True, text=True, timeout=60, check=True).stdout
        found = re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{4,8} ?)+)\s*\t", text, re.MULTILINE)
        return {int(address, 16): len(code.replace(" ", "")) // 2 for address, code in found}

    def endless_loop(self):
        """The address of a branch to itself, which the bootloader runs into after a reset that does not come."""
        text = subprocess.run([OBJDUMP, "-d", str(self.elf)], capture_output=True, text=True, timeout=60, check=True).stdout
        return int(re.search(r"^ *([0-9a-f]+):\te7fe\s", text, re.MULTILINE)[1], 16)

    def calls(self, prefix):
        """call -> address behind it, of each call of the functions whose demangled names start with this."""
        text = subprocess.run([OBJDUMP, "-dC", "--no-show-raw-insn", str(self.elf)], capture_output=True, text=True, timeout=60,
                              check=True).stdout
        found = re.findall(rf"^ *([0-9a-f]+):\tblx?\t[0-9a-f]+ <{re.escape(prefix)}", text, re.MULTILINE)
        return {int(address, 16): int(address, 16) + 4 for address in found}

    def ranges(self, wanted):
        """Address ranges of the functions for which wanted(name) holds, merged where they touch."""
        merged = []
        for start in self.starts:
            end, name = self.functions[start]
            if not wanted(name):
                continue
            if merged and start - merged[-1][1] < 4:
                merged[-1][1] = max(end, merged[-1][1])
            else:
                merged.append([start, end])
        return merged


class Patch:
    """A function's first instructions, replaced by a jump to a place where the core stops: it makes no page slow."""

    def __init__(self, address, hook, original):
        assert address % 4 in (0, 2)
        self.address, self.hook, self.original = address, hook, original
        pad = address % 4
        self.jump = struct.pack("<HH", 0xF8DF, 0xF000 + 2 * pad) + b"\0" * pad + struct.pack("<I", hook | 1)  # ldr.w pc, [pc]
        self.original = original[:len(self.jump)]


class Silence:
    """A function that returns at once."""

    def __init__(self, address, original):
        self.address, self.jump = address, struct.pack("<H", 0x4770)  # bx lr
        self.original = original[:len(self.jump)]


class SkipMachine:
    """One QEMU that stands at its first instruction. Context manager: QEMU is killed at the end, by pid."""

    def __init__(self, command, ranges, scratch, control, log=None, log_ranges=None):
        """command: QEMU with its drives. ranges: (address, bytes) of RAM that a snapshot keeps; scratch: RAM that nobody
        else uses; control: the system control register of an undisturbed bootloader. log: with log_ranges: where
        traced(True) writes each instruction that runs there."""
        self.ranges, self.scratch, self.control = ranges, scratch, control
        self.folder = tempfile.TemporaryDirectory(prefix="pawl-skip-")
        path = pathlib.Path(self.folder.name) / "gdb"
        arguments = [*map(str, command), "-S", "-gdb", f"unix:path={path},server=on,wait=off", "-action", "watchdog=none",
                     "-name", "skip,debug-threads=on"]
        if log:
            log_ranges = [*log_ranges, (scratch + MARK, scratch + MARK + 4)]
            arguments += ["-singlestep", "-D", str(log),
                          "-dfilter", ",".join(f"{start:#x}..{end - 1:#x}" for start, end in log_ranges)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            self.gdb = GdbRemote(path)
            self._write_scratch()
            self.hooks = {}  # of patches that stand: hook -> the function's address
            self.stop_at(())
        except LabError:
            self.close()
            raise

    def cpu_s(self):
        """The processor time that the machine's core took."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().startswith("CPU 0"):
                return int((task / "schedstat").read_text().split()[0]) / 1e9
        raise LabError("QEMU has no thread of its core")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if hasattr(self, "gdb"):
            self.gdb.close()
        self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()
        self.folder.cleanup()

    def stop_at(self, addresses):
        """Breakpoints there, where the copying of memory ends, and behind each patch."""
        self.gdb.set_breakpoints([*addresses, self.scratch + COPY_END, *self.hooks])

    def make_patches(self, addresses):
        """One for each function that starts there."""
        hooks = (self.scratch + HOOKS + number * HOOK_BYTES for number in range(len(addresses)))
        patches = [Patch(address, hook, self.gdb.read(address, 12)) for address, hook in zip(sorted(addresses), hooks)]
        for patch in patches:
            self.gdb.write(patch.hook, LOOP)
            self.hooks[patch.hook] = patch.address
        return patches

    def apply(self, patches, on):
        for patch in patches:
            self.gdb.write(patch.address, patch.jump if on else patch.original)

    def traced(self, on):
        self.gdb.monitor("log exec,nochain" if on else "log none")

    def mark(self):
        """Leaves the address scratch + MARK in the trace."""
        before = self.gdb.registers()
        self.gdb.set_registers(Registers([*[0] * 15, self.scratch + MARK, PRIVILEGED]))
        self.gdb.step()
        self.gdb.set_registers(before)

    # --- snapshots: the machine copies its own memory, which is faster than the stub by far ---

    def _write_scratch(self):
        """The code; the tables of the way into the shadow, and of the way back; a mark at the shadow's end."""
        shadow = self.scratch + SHADOW
        save, restore = [], []
        for address, size in self.ranges:
            save += [address, shadow, size // 32]
            restore += [shadow, address, size // 32]
            shadow += size
        self.pieces = [(self.scratch, COPY), (self.scratch + MARK, NOP), (shadow, b"pawl")]
        for at, table in ((TABLE_BYTES, save), (2 * TABLE_BYTES, restore)):
            self.pieces.append((self.scratch + at, struct.pack(f"<{len(table) + 3}I", *table, 0, 0, 0)))
        for address, data in self.pieces:
            self.gdb.write(address, data)

    def intact(self):
        """Whether what snapshots need still stands: a run that writes everywhere may have destroyed it."""
        return all(self.gdb.read(address, len(data)) == data for address, data in self.pieces)

    def _copy(self, table, poke=None):
        registers = [0] * 16
        registers[9], registers[12], registers[8] = poke or (0, self.scratch + POKED, self.scratch + POKED)
        registers[7], registers[10] = self.control & ~MMU, self.control
        registers[11], registers[15] = self.scratch + table, self.scratch
        end = self.gdb.run(registers=Registers([*registers, PRIVILEGED]))
        if end != self.scratch + COPY_END:
            raise LabError(f"the copy of memory ended at {end:#x}")

    def save(self):
        """Registers and memory; the registers are to be set again before the machine goes on."""
        registers = self.gdb.registers()
        self._copy(TABLE_BYTES)
        return registers

    def restore(self, poke=None):
        """The memory of the last save; the registers are to be set. poke: (word, address, address): what the machine itself
        writes first, for devices that are to be set back."""
        self._copy(2 * TABLE_BYTES, poke)

    # --- one instruction ---

    @staticmethod
    def skipped(registers, instruction_bytes):
        """The registers as if the instruction at pc had been a NOP; also inside an IT block."""
        after = registers.copy()
        after.r[15] = registers.pc + instruction_bytes
        state = (registers.cpsr & IT_HIGH) >> 8 | (registers.cpsr & IT_LOW) >> 25
        if state:
            state = (state & 0xE0 | state << 1 & 0x1F) if state & 7 else 0
            after.cpsr = registers.cpsr & ~(IT_LOW | IT_HIGH) | (state & 0xFC) << 8 | (state & 3) << 25
        return after


def read_trace(path):
    """The addresses of the instructions that ran, in order."""
    return [int(pc, 16) for pc in TRACE_LINE.findall(path.read_bytes())]


