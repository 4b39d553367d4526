"""A board under QEMU: its console, its flash file, its power switch. What comes over its UART is kept in `serial.log`;
whoever connects to `serial` (a unix socket) speaks with it, and must read: QEMU sends each byte by itself, and stands
still when some hundred of them are not fetched."""
import socket
import subprocess

from . import flash_images
from .process import Child, LabError, wait_for

QEMU = "qemu-system-arm"


class QemuBoard:
    """One board in a folder of its own. The path must be short: a unix socket's name has at most 107 bytes. Which board
    it is, its subclass says: machine_argv() names the machine and its memories."""

    name = "the board"

    def __init__(self, folder, layout):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.serial_path = folder / "serial"
        self.gdb_path = folder / "gdb"
        self.log = folder / "serial.log"
        self.nor = flash_images.NorFile(folder / "nor.img", layout).make_blank()
        self.child = None
        self._line = None
        self._seen = 0

    def machine_argv(self):
        raise NotImplementedError

    def serial_chardev(self):
        return f"socket,id=serial,path={self.serial_path},server=on,wait=off,logfile={self.log},logappend=on"

    def argv(self, gdb=False, paused=False):
        argv = [QEMU, *self.machine_argv(), "-display", "none", "-monitor", "none", "-nodefaults",
                "-chardev", self.serial_chardev(), "-serial", "chardev:serial"]
        if gdb:
            argv += ["-gdb", f"unix:{self.gdb_path},server=on,wait=off"]
        return argv + (["-S"] if paused else [])

    def power_on(self, gdb=False, paused=False):
        """gdb: offers QEMU's gdb stub at `gdb_path`; paused: the core waits for it."""
        self.power_off()
        self.serial_path.unlink(missing_ok=True)
        self.gdb_path.unlink(missing_ok=True)
        # The kernel ends the machine with the thread that started it: a killed test leaves no machine behind.
        argv = ["setpriv", "--pdeathsig", "KILL", *self.argv(gdb, paused)]
        self.child = Child(self.name, argv, self.folder / "qemu.log").start()
        self._seen = len(self.text())
        return self

    def power_off(self):
        """At once, as the power goes: SIGKILL."""
        if self._line:
            self._line.close()
            self._line = None
        if self.child:
            self.child.kill()
            self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.power_off()

    # --- the console ---

    def text(self):
        """All that came over the line, from the first start on; bytes that are no text as they may come."""
        try:
            return self.log.read_text(encoding="latin-1")
        except FileNotFoundError:
            return ""

    def wait_text(self, wanted, deadline_s=20.0):
        """Waits until `wanted` comes, behind what was waited for before. Returns what came up to its end."""
        def found():
            self._drain()
            at = self.text().find(wanted, self._seen)
            if at < 0 and not self.child.running:
                raise LabError(f"QEMU ended: {self.child.tail()}")
            return at + 1
        try:
            end = wait_for(f"the board says {wanted!r}", found, deadline_s, 0.01) - 1 + len(wanted)
        except LabError as error:
            raise LabError(f"{error}; it said:\n{self.text()[self._seen:]}") from None
        came = self.text()[self._seen:end]
        self._seen = end
        return came

    def send(self, data):
        """Bytes into the board's UART."""
        if self._line is None:
            self._line = socket.socket(socket.AF_UNIX)
            wait_for("QEMU listens", self.serial_path.exists, 10, 0.01)
            self._line.connect(str(self.serial_path))
            self._line.setblocking(False)
        self._drain()
        self._line.sendall(data)

    def _drain(self):
        """Fetches what the board says: it is in the log too."""
        try:
            while self._line and self._line.recv(65536):
                pass
        except OSError:  # nothing there, or the machine is gone
            pass


def available():
    """Whether QEMU is there at all."""
    try:
        return subprocess.run([QEMU, "--version"], capture_output=True, check=False, timeout=10).returncode == 0
    except FileNotFoundError:
        return False
