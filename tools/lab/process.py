"""Child processes, free ports, and waiting for things: each with a deadline and a clear error."""
import os
import pathlib
import signal
import socket
import subprocess
import time


class LabError(Exception):
    """What went wrong, with what to look at."""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def wait_for(what, condition, deadline_s=30.0, poll_s=0.05):
    """The first true value of condition(); LabError that names `what` when the deadline passes."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"timeout after {deadline_s:g} s: {what}")
        time.sleep(poll_s)


class Child:
    """A program with its output in a log file. Ended by us, by pid; it does not outlive the lab."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = pathlib.Path(log)
        self.env = env
        self.cwd = cwd
        self.process = None

    def start(self):
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env,
                                            cwd=self.cwd, start_new_session=True)
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.running:
            os.kill(self.process.pid, number)

    def stop(self, deadline_s=15.0):
        """SIGTERM, and SIGKILL when that does not help. Returns the exit status."""
        if self.process is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"{self.name} did not stop within {deadline_s:g} s of SIGTERM; see {self.log}") from None

    def kill(self):
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def tail(self, lines=20):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"
