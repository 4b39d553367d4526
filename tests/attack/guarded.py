"""A bootloader under its own watchdog, with a window that a test can wait for instead of the port's minutes."""
from lab.gdb_remote import GdbRemote


def start(board, elf, window_ms):
    """Powers on; the core stands where the bootloader looks for an image, the watchdog runs. GdbRemote; close it."""
    board.power_on(gdb=True, paused=True)
    gdb = GdbRemote(board.gdb_path)
    gdb.set_breakpoints([elf.function("pawl::board::StartWatchdogFor(")])
    gdb.run()
    gdb.set_register(0, window_ms)
    gdb.set_breakpoints([elf.function("pawl::board::RecordFlash(")])
    gdb.run()
    return gdb


def leave_at(gdb, address):
    """Lets the core go on at this address, undisturbed."""
    registers = gdb.registers()
    registers.r[15] = address
    gdb.set_breakpoints([])
    gdb.start(registers)
    gdb.close()
