"""A virtual device: a factory-made folder, and the machine that runs it."""
import json
import signal
import subprocess

from .process import Child, LabError, wait_for

WATCHDOG_MS = 4000
SLOT_BYTES = 16 << 20


class Device:
    def __init__(self, lab, name, device_class="virtual-1", **agent):
        self.lab = lab
        self.name = name
        self.device_class = device_class
        self.folder = lab.folder / "devices" / name
        self.bin = lab.platform.bin
        self.agent = agent
        self.machine = None

    # --- the factory ---

    def claim(self):
        """The operator claims the id; the token goes into a file."""
        path = self.lab.folder / f"{self.name}.claim"
        self.lab.platform.cli("device", "claim", self.name, "--class", self.device_class, "--board-revision", 2,
                              "--attribute", "site=lab", "--out", path)
        return path

    def make(self, firmware="1.0.0", release=None):
        """Writes ROM and flash as the factory does, with a signed first firmware in slot A."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        release = release or self.lab.factory_release(firmware, self.device_class)
        self._run(["pawl-machine", "init", self.folder, "--anchors", self.lab.anchors(self.device_class),
                   "--vendor", self.lab.vendor, "--class", self.device_class, "--board-revision", 2,
                   "--min-security-version", 0, "--slot-bytes", SLOT_BYTES, "--watchdog-ms", WATCHDOG_MS,
                   "--image", self.lab.firmware(firmware), "--envelope", release])
        self.configure()
        return self

    def configure(self, **agent):
        """Writes the agent's configuration."""
        self.agent.update(agent)
        platform = self.lab.platform
        values = {"mqtt_url": platform.mqtt_url, "https_urls": [platform.device_url], "allow_loopback": True,
                  "backoff_max_s": 2, **self.agent}
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        (data / "agent.toml").write_text("\n".join(lines) + "\n[attributes]\nsite = \"lab\"\n")

    def enrol(self):
        platform = self.lab.platform
        claim = self.claim()
        self._run(["pawl-agent", "enrol", "--dir", self.folder, "--claim", claim, "--url", platform.device_url,
                   "--ca", platform.ca])
        return self

    def _run(self, argv):
        argv = [str(a) for a in argv]
        done = subprocess.run([str(self.bin / argv[0]), *argv[1:]], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(argv[:2])} for {self.name}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    # --- the machine ---

    def power_on(self):
        self.machine = Child(f"machine {self.name}", [self.bin / "pawl-machine", "--dir", self.folder],
                             self.folder / "machine.log").start()
        return self

    def power_off(self):
        if self.machine:
            self.machine.stop()

    def cut_power(self):
        """Power fails and returns at once."""
        self.machine.signal(signal.SIGUSR1)

    def kill(self):
        """kill -9 of the machine itself."""
        if self.machine:
            self.machine.kill()

    # --- what it is now ---

    def status(self):
        return json.loads(self._run(["pawl-machine", "status", self.folder, "--json"]))

    def record(self):
        """The boot record."""
        return self.status()["state"]

    @property
    def serial(self):
        try:
            return (self.folder / "serial.log").read_text(errors="replace")
        except OSError:
            return ""

    def wait_serial(self, text, deadline_s=30, after=0):
        return wait_for(f"{self.name} to print {text!r}; it printed last:\n{self.serial[-1500:]}",
                        lambda: text in self.serial[after:], deadline_s)

    def registered(self):
        return self.lab.platform.device(self.name)

    def wait_confirmed(self, version, deadline_s=45):
        """Waits until the platform knows the device to run `version`, confirmed by its own self-test."""
        def good():
            running = self.registered()["running"]
            return running and running[0]["version"] == version and running[0]["mode"] == "normal"
        try:
            return wait_for("", good, deadline_s, 0.1)
        except LabError:
            raise LabError(f"{self.name} does not run {version}, confirmed, after {deadline_s} s; platform: "
                           f"{self.registered().get('running')}\n{self.serial[-2500:]}") from None
