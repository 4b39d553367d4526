#!/usr/bin/python3
"""C4: single instructions are skipped in the bootloader of the virt board, one in each run, through QEMU's gdb stub: all that
run between the first look into the ROM and the jump, in boots in which something must not run. None of them may start an
image that does not verify.

What is skipped in each state: every instruction of what reads, compares, decides and jumps (DECIDES), the first time it runs;
of all other code and of later times, when its function has another caller, PAWL_SKIP_OTHERS per cent. Cryptography's inner loops
and the record's scan count as one step each: they compute what is compared, and decide nothing. PAWL_SEED chooses others.
A bootloader without its second look is run first: this test must find skips that defeat it.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "attack")]

from boot_states import IMAGE_BYTES, states  # noqa: E402
from skip_boot import GAP, IMAGE_MEMORY, Boot, Bootloader  # noqa: E402

OTHERS = float(os.environ.get("PAWL_SKIP_OTHERS", "4"))  # per cent
# What reads, compares, decides and jumps.
DECIDES = re.compile(r"PawlMain|ReadRom|RamSlots|pawl::(Verify|VerifySlot|CheckBootable|Boot|Booted::Booted|Recheck|Settle|FindKey|Threshold)\(|"
                     r"FactsOf|CheckSignature|CheckEnvelope|IsRevoked|FindKid|IndexOf|operator==|[Ee]qual|memcmp|VerifyP256|pawl_p256|"
                     r"crypto::Hash|"
                     r"board::(Jump|ArmWatchdog)|std::expected")
ONLY = os.environ.get("PAWL_SKIP_ONLY", "")  # in this function
SEED = int(os.environ.get("PAWL_SEED", "1"))
VIRT_BUILD = pathlib.Path(os.environ.get("PAWL_VIRT_BUILD") or ROOT / "build" / "virt")
PLANTED = "unknown key, wrong role"
USUAL_STATES = ("signatures that do not hold", "unknown key, wrong role", "pending B has another image")
USUAL = ("recovery", "image A", "image B")


def points(trace, symbols, rng):
    """Numbers of the trace's instructions that are to be skipped."""
    seen, chosen = set(), []
    for number, pc in enumerate(trace):
        name = symbols.name(pc)
        key = (pc, trace[number - 1] if pc in symbols.functions else None)
        first = pc not in seen
        if (first and DECIDES.search(name)) or pc == GAP or (key not in seen and rng.random() * 100 < OTHERS):
            chosen.append(number)
        seen |= {pc, key}
    return chosen


class Skips:
    """One boot over and over, each time with another instruction skipped."""

    def __init__(self, loader, folder, state):
        self.loader, self.folder, self.state = loader, folder, state
        self.outcomes = collections.Counter()
        log = folder / "trace"
        first = Boot(loader, folder / "trace-board", state, log)
        try:
            self.end, self.trace = first.golden(log)
        finally:
            first.close()
        self.changes = first.changes
        self.open()

    def open(self):
        self.boot = Boot(self.loader, self.folder / "board", self.state)
        self.boot.changes = self.changes
        self.at, self.registers = 0, self.boot.gdb.registers()

    def run(self, rng):
        for target in points(self.trace, self.loader.symbols, rng):
            if ONLY in ("", self.loader.symbols.name(self.trace[target]).split("(")[0]):
                self.skip(target)

    def skip(self, target):
        registers = self.boot.advance(self.trace, self.at, target, self.registers)
        self.at, self.registers = target, registers
        after = self.boot.machine.skipped(registers, self.loader.symbols.instruction_bytes[registers.pc])
        end = self.boot.end(after)
        kind = end.split(" at ")[0]
        self.outcomes[kind] += 1
        if kind.startswith("image"):
            self.judge(registers.pc, kind[-1], end)
        if not self.boot.restore(kind not in USUAL or not self.boot.record_is_as_before()):
            self.outcomes["(set up again)"] += 1
            self.boot.close()
            self.open()

    def judge(self, pc, memory, end):
        """Genuine bytes of a slot that may run, wherever they were loaded; anything else has failed."""
        ran = self.boot.gdb.read(IMAGE_MEMORY[memory], IMAGE_BYTES)
        if ran not in [{"A": self.state.a, "B": self.state.b}[slot].image for slot in self.state.allowed]:
            self.outcomes["FAILED"] += 1
            print(f"  {pc:#x} skipped, in {self.loader.symbols.name(pc)}: {end} ran", flush=True)


def run(loader, state, rng):
    """What came of the boots of this state; told in a line."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pawl-skip-") as folder:
        skips = Skips(loader, pathlib.Path(folder), state)
        try:
            skips.run(rng)
        finally:
            skips.boot.close()
    kinds = ", ".join(f"{kind} {count}" for kind, count in skips.outcomes.most_common())
    print(f"{state.name} (undisturbed: {skips.end}): {kinds}; {time.monotonic() - begin:.1f} s", flush=True)
    return skips.outcomes


def planted(elf, rng):
    """Without the second look, single skips do start what does not verify: whether this test finds them."""
    state = next(s for s in states() if s.name == PLANTED)
    print("planted, a bootloader that looks once only:")
    return run(Bootloader(elf, one_look=True), state, rng)["FAILED"]


def main():
    parser = argparse.ArgumentParser(description="Skips single instructions in the bootloader of the virt board.")
    parser.add_argument("--all", action="store_true", help=f"all states, not only the usual {len(USUAL_STATES)}")
    parser.add_argument("--state", help="only this one")
    parser.add_argument("--elf", type=pathlib.Path, default=VIRT_BUILD / "bin" / "pawl-boot.elf")
    options = parser.parse_args()
    print(f"PAWL_SEED={SEED}", flush=True)
    rng, total = random.Random(SEED), collections.Counter()
    caught = planted(options.elf, rng)
    print("the bootloader as it is:")
    loader = Bootloader(options.elf)
    for state in states():
        if state.name == options.state or (options.state is None and (options.all or state.name in USUAL_STATES)):
            total += run(loader, state, rng)
    failed, again = total.pop("FAILED", 0), total.pop("(set up again)", 0)
    print(f"{total.total()} single instructions skipped, machine set up again {again} times: {failed} booted what does not verify; "
          f"of the planted bootloader {caught}")
    if not total or failed or not caught:
        sys.exit("FAILED" if failed or not total else "FAILED: the planted bootloader was not caught")


if __name__ == "__main__":
    main()
