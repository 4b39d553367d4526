"""One boot of the virt board's bootloader, that can be set back to any of its instructions and go on without it."""
import functools
import re
import struct
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from boot_states import IMAGE_BYTES
from lab.flash_images import VIRT
from lab.gdb_remote import T_BIT
from lab.process import LabError
from lab.virt import VirtMachine
from skipping import MARK, Silence, SkipMachine, Symbols, read_trace

ROM, NOR = 0, 0x04000000
IMAGE_MEMORY = {"A": 0x41000000, "B": 0x42000000}
STACK_TOP, STACK_BYTES = 0x40400000, 32 << 10
RANGES = [(0x40100000, 0x200), (0x40200000, 0x400), (STACK_TOP - STACK_BYTES, STACK_BYTES),
          (IMAGE_MEMORY["A"], IMAGE_BYTES + 32), (IMAGE_MEMORY["B"], IMAGE_BYTES + 32)]
SCRATCH = 0x40080000  # below all that the board uses: what runs wild writes upwards mostly
# The MMU lets nothing be executed but the ROM (boot/port/virt/execution.cc); what this test runs in its scratch is excepted.
SECTIONS, NEVER_EXECUTED, FETCH_REFUSED, FETCH_VECTOR = "pawl::board::(anonymous namespace)::g_sections", 0x10, 2, 0xC
CONTROL = 0x00C50079  # Cortex-A15, with the MMU
GAP = SCRATCH + MARK  # in a trace: a call of one of GAPS

# Not in a trace: the loops of cryptography, and of copying.
LOOPS = re.compile(r"br_|pawl_sha256_|run_code|point_|set_one|GT$|EQ$|mem(cpy|set|move)$")
LOAD, PEEK, COMMIT = "pawl::RecordStore::Load(", "pawl::RecordStore::Peek(", "pawl::RecordStore::Commit("
GAPS = (LOAD, PEEK, COMMIT)
VERIFY = "pawl_p256_verify"
STARTS_AT = "pawl::DecodeAnchors("
RECHECK, MAY_RUN = "pawl::Recheck(", 0x695A96A5  # boot/core/recheck.h

CPU_S_MAX = 0.02  # what a run takes at most that is not for ever
ASLEEP_S_MAX = 10  # of time: a run may come into recovery behind its start, and then it waits for a minute
NATIVE_S = 1.0    # and with the machine's own cryptography and scan of the record
GOLDEN_S = 60


class Bootloader:
    """The places in it that matter here."""

    def __init__(self, elf, one_look=False):
        """one_look: without the second look, which is then answered with kMayRun."""
        self.elf = elf
        self.symbols = Symbols(elf)
        self.one_look = one_look
        at = self.symbols.function
        self.start, self.load, self.peek, self.verify = at(STARTS_AT), at(LOAD), at(PEEK), at(VERIFY)
        self.write = at("pawl::board::Write(")
        self.gaps = {call: (back, name) for name in GAPS for call, back in self.symbols.calls(name).items()}
        self.starts = {0: "reset", IMAGE_MEMORY["A"]: "image A", IMAGE_MEMORY["B"]: "image B"}
        self.ends = {at("pawl::bare::(anonymous namespace)::WaitAndReset("): "recovery", at("pawl::board::Crash("): "crash",
                     at("PawlException"): "exception", at("pawl::board::Reset("): "reset"}

    def traced(self):
        return self.symbols.ranges(lambda name: not LOOPS.match(name))


def may_run(address):
    """Thumb code for this address: ldr r0, [pc]; bx lr; the word."""
    return bytes.fromhex("01487047 00bf" if address % 4 else "00487047") + struct.pack("<I", MAY_RUN)


def faster(argv):
    """Without console: nobody reads it. Without fsync, which QEMU does at each stop."""
    plain = [a for option, a in zip([""] + argv, argv) if "-chardev" not in (option, a) and "-serial" not in (option, a)]
    return [a.replace("format=raw", "format=raw,cache=unsafe") for a in plain] + ["-serial", "null"]


class Boot:
    """From the first look into the ROM on. `changes`: function -> what Load and Peek did on the undisturbed way."""

    def __init__(self, loader, folder, state, log=None):
        self.loader, self.state, self.changes = loader, state, {}
        board = VirtMachine(folder, loader.elf.with_suffix(".bin"), state.anchors, state.identity)
        for name, slot in (("A", state.a), ("B", state.b)):
            board.nor.write_slot(name, slot.image, slot.envelope)
        board.nor.write_record(state.record)
        self.machine = SkipMachine(faster(board.argv()), RANGES, SCRATCH, CONTROL, log, loader.traced() if log else None)
        self.gdb = self.machine.gdb
        self.flash = self.kept_flash()
        self.rom = self.gdb.read(ROM, 64)
        if loader.one_look:
            recheck = loader.symbols.function(RECHECK)
            self.gdb.write(recheck, may_run(recheck))
        self.machine.stop_at([loader.start])
        self.gdb.run()
        self.except_scratch()
        hooks = self.machine.make_patches([*loader.ends, loader.load, loader.peek, loader.verify])
        self.answered = [patch for patch in hooks if patch.address not in loader.ends]
        self.answered.append(Silence(loader.write, self.gdb.read(loader.write, 4)))
        self.machine.apply([patch for patch in hooks if patch.address in loader.ends], True)
        self.answer(False)
        self.machine.stop_at(loader.starts)

    def close(self):
        self.machine.close()

    def answer(self, on):
        """Whether Load, Peek and the check of a signature are answered here, instead of by the machine."""
        self.answers = on
        self.machine.apply(self.answered, on)

    def except_scratch(self):
        sections = self.loader.symbols.addresses[SECTIONS]
        at = sections + (SCRATCH >> 20) * 4
        if any(self.gdb.word(sections + (area >> 20) * 4) & NEVER_EXECUTED == 0 for area in (SCRATCH, STACK_TOP, *IMAGE_MEMORY.values())):
            raise LabError("RAM can be executed")
        self.gdb.write(at, struct.pack("<I", self.gdb.word(at) & ~NEVER_EXECUTED))
        self.machine.pieces.append((sections, self.gdb.read(sections, 0x2000)))

    # --- flash: what a run may change, and what it is to be again ---

    def kept_flash(self):
        """address -> bytes."""
        places = [(VIRT.record, 1024), (VIRT.record + VIRT.sector_bytes, 256)]
        for start in VIRT.slots.values():
            places += [(start, IMAGE_BYTES), (start + VIRT.slot_bytes - 8192, 1024)]
        places = [(NOR + start, size) for start, size in places]
        return dict(zip([address for address, _ in places], self.gdb.read_all(places)))

    def record_is_as_before(self):
        at = NOR + VIRT.record
        try:
            return self.gdb.read(at, 1024) == self.flash[at]
        except LabError:
            return False

    def restore(self, flash_too):
        """The memory of the last advance. False: it cannot be had again, or the flash is in somebody's command."""
        try:
            return self.restored(flash_too)
        except LabError:  # a run that began anew and closed the scratch, or that spoilt the MMU's table
            return False

    def restored(self, flash_too):
        if not flash_too:
            self.machine.restore()
            return True
        if not self.machine.intact():
            return False
        self.machine.restore((0x00FF00FF, NOR, ROM))  # both banks: read array
        for address, data in self.flash.items():
            self.gdb.write(address, data)
        return self.gdb.read(ROM, 64) == self.rom and self.kept_flash() == self.flash

    # --- the way that nobody disturbs ---

    def until(self, addresses, deadline_s=GOLDEN_S):
        """Goes on to one of these; LabError if the boot ends before."""
        self.machine.stop_at([*addresses, *self.loader.starts])
        self.gdb.step()
        pc = self.gdb.register(15)
        if pc not in addresses:
            pc = self.gdb.run(deadline_s)
        if pc not in addresses:
            raise LabError(f"the undisturbed way ended at {pc:#x}")
        return pc

    def call(self, back, function):
        """Runs a function, standing before its call or at its start, as a whole; keeps what it changed above the stack
        pointer."""
        registers = self.gdb.registers()
        before = self.gdb.read(registers.sp, STACK_TOP - registers.sp)
        self.until([back])
        after = self.gdb.read(registers.sp, STACK_TOP - registers.sp)
        self.changes[function] = (registers.r[0], registers.sp, self.gdb.register(0), changed_ranges(before, after))
        self.machine.stop_at(self.loader.starts)

    def over_gap(self):
        back, name = self.loader.gaps[self.gdb.register(15)]
        self.call(back, self.loader.symbols.function(name))
        if name == COMMIT:
            self.flash = self.kept_flash()

    def golden(self, log):
        """To the end, with nothing skipped: its name, and the trace."""
        self.machine.traced(True)
        while True:
            self.machine.stop_at([*self.loader.gaps, *self.loader.starts])
            pc = self.gdb.run(GOLDEN_S)
            while pc in self.loader.gaps:
                self.machine.mark()
                self.machine.traced(False)
                self.over_gap()
                self.machine.traced(True)
                pc = self.gdb.register(15)
            end = self.ended(pc)
            if end:
                break
        self.machine.traced(False)
        patched = {*self.loader.ends}
        return end, [pc for pc in read_trace(log) if pc not in patched]

    def ended(self, pc):
        return self.loader.starts.get(pc) or self.loader.ends.get(self.machine.hooks.get(pc))

    def advance(self, trace, at, target, registers):
        """From the trace's instruction number `at`, with its registers, to number `target`; saves that, returns its
        registers."""
        plain = target == at + 1 and GAP not in trace[at:at + 2] and not self.in_patch(trace[at])
        if plain:
            self.gdb.step(registers)
            if self.gdb.register(15) != trace[target]:  # a call of what is not traced
                self.until([trace[target]])
        else:
            self.gdb.set_registers(registers)
            self.answer(False)
            self.walk(trace, at, target)
        if not self.answers:
            self.answer(True)
        self.machine.stop_at(self.loader.starts)
        registers = self.machine.save()
        if trace[target] not in (GAP, registers.pc):
            raise LabError(f"the undisturbed way is at {registers.pc:#x}, not at {trace[target]:#x}")
        return registers

    def walk(self, trace, at, target):
        while at < target:
            if trace[at] == GAP:
                self.over_gap()
                at += 1
                continue
            at += 1
            if trace[at] == GAP:
                self.until(self.loader.gaps)
            elif trace[at] == trace[target]:
                self.until([trace[target]])

    def in_patch(self, pc):
        return any(patch.address <= pc < patch.address + len(patch.jump) for patch in self.answered)

    # --- the way after a skip ---

    def end(self, registers):
        """Runs to an end: its name, with the place if it is an image's."""
        limit_s, begin = CPU_S_MAX, self.machine.cpu_s()
        asleep_s = time.monotonic() + ASLEEP_S_MAX
        if self.in_patch(registers.pc):
            self.answer(False)
            limit_s = NATIVE_S
        self.gdb.start(registers)
        while True:
            while not self.gdb.stopped(CPU_S_MAX):
                if self.machine.cpu_s() - begin > limit_s or time.monotonic() > asleep_s:
                    self.gdb.stop()
                    return self.where("hang")
            pc = self.gdb.register(15)
            end = self.ended(pc)
            if end and pc in IMAGE_MEMORY.values() and not self.enters(pc):
                return "astray"
            if end:
                return self.where(end)
            if not self.answer_call(self.machine.hooks.get(pc)):
                limit_s += NATIVE_S
            self.gdb.start()

    def enters(self, image):
        """Whether the core, at an image's first instruction, executes it."""
        self.machine.stop_at(())
        self.gdb.step()
        entered = self.gdb.register(15) != FETCH_VECTOR
        self.gdb.set_register(15, image)
        self.machine.stop_at(self.loader.starts)
        return entered

    def where(self, end):
        """An exception or a loop within an image, in RAM or in flash: that image ran. Unless it was the exception that kept
        it from running."""
        if end not in ("exception", "hang"):
            return end
        if end == "exception" and self.gdb.register(0) == FETCH_REFUSED:
            return "astray"
        at = self.gdb.register(1 if end == "exception" else 15)
        for name in ("A", "B"):
            for start in (IMAGE_MEMORY[name], NOR + VIRT.slots[name]):
                if start <= at < start + IMAGE_BYTES:
                    return f"image {name} at {at:#x}"
        return end

    def answer_call(self, function):
        """In place of the machine, which takes long for it. False: from now on it does such things itself."""
        if function is None:
            raise LabError(f"the machine stopped at {self.gdb.register(15):#x}")
        registers = self.gdb.registers()
        if function == self.loader.verify and self.answer_verify(registers):
            return True
        if function in self.changes and self.answer_scan(registers, *self.changes[function]):
            return True
        self.answer(False)
        registers.r[15] = function
        self.gdb.set_registers(registers)
        if function == self.loader.peek and function not in self.changes and self.record_is_as_before():
            self.call(registers.lr & ~1, function)
            self.answer(True)
        return False

    def answer_verify(self, registers):
        try:
            arguments = [self.gdb.read(start, length) for start, length in zip(registers.r, (65, 32, 64))]
        except LabError:
            return False
        self.back(registers, int(signature_holds(*arguments)))
        return True

    def answer_scan(self, registers, argument, sp, result, ranges):
        if (registers.r[0], registers.sp) != (argument, sp) or not self.record_is_as_before():
            return False
        for offset, data in ranges:
            self.gdb.write(sp + offset, data)
        self.back(registers, result)
        return True

    def back(self, registers, result):
        registers.r[0] = result
        registers.cpsr = registers.cpsr | T_BIT if registers.lr & 1 else registers.cpsr & ~T_BIT
        registers.r[15] = registers.lr & ~1
        self.gdb.set_registers(registers)


def changed_ranges(before, after):
    """(offset, new bytes), with what lies at most 64 bytes apart in one."""
    ranges = []
    for at in range(len(after)):
        if before[at] == after[at]:
            continue
        if ranges and at - ranges[-1][1] <= 64:
            ranges[-1][1] = at + 1
        else:
            ranges.append([at, at + 1])
    return [(start, after[start:end]) for start, end in ranges]


@functools.cache
def signature_holds(key, digest, signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
        public.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return True
    except (InvalidSignature, ValueError):
        return False
