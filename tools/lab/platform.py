"""The platform under test: pawld with its children, its CLI, its API."""
import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

from .process import Child, LabError, free_ports, wait_for


class ApiError(LabError):
    def __init__(self, status, error):
        super().__init__(f"HTTP {status}: {error.get('message', error)}")
        self.status = status
        self.error = error


class Platform:
    def __init__(self, folder, build, ports=None):
        self.folder = pathlib.Path(folder)
        self.bin = pathlib.Path(build) / "bin"
        self.data = self.folder / "platform"
        self.api_port, self.device_port, self.mqtt_port = ports or free_ports(3)
        self.url = f"https://127.0.0.1:{self.api_port}"
        self.device_url = f"https://127.0.0.1:{self.device_port}"
        self.mqtt_url = f"mqtts://127.0.0.1:{self.mqtt_port}"
        self.ca = self.data / "ca.pem"
        self.cli_config = self.folder / "pawl.toml"
        self.child = None
        self.token = None

    def configure(self, **extra):
        """Writes pawld.toml: the ports; further keys as given."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f'api_listen = "127.0.0.1:{self.api_port}"', f'device_listen = "127.0.0.1:{self.device_port}"',
                 f'mqtt_listen = "127.0.0.1:{self.mqtt_port}"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in extra.items()]
        (self.data / "pawld.toml").write_text("\n".join(lines) + "\n")

    def start(self, deadline_s=60):
        self.child = Child("pawld", [self.bin / "pawld", "--data", self.data], self.folder / "pawld.log").start()
        wait_for(f"pawld to be ready\n{self.child.tail()}", self._ready, deadline_s)
        if self.token is None:
            self.token = (self.data / "admin-token").read_text().strip()
        return self

    def _ready(self):
        if not self.child.running:
            raise LabError(f"pawld ended with status {self.child.process.returncode}:\n{self.child.tail()}")
        if not self.ca.exists():
            return False
        try:
            return self.api("GET", "/readyz", raw=True, token=False)[0] == 200
        except (LabError, OSError, ValueError):
            return False

    def stop(self):
        return self.child.stop() if self.child else None

    def kill(self):
        """kill -9, as a crash would be."""
        self.child.kill()

    def api(self, method, path, body=None, raw=False, token=True, content_type="application/json"):
        context = ssl.create_default_context(cafile=str(self.ca))
        if not path.startswith(("/healthz", "/readyz", "/metrics", "/api/")):
            path = "/api/v1" + path
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {self.token if token is True else token}")
        if data is not None:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, context=context, timeout=40) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except urllib.error.URLError as error:
            raise LabError(f"{method} {path}: {error.reason}") from None
        if raw:
            return status, text
        value = json.loads(text) if text else None
        if status >= 400:
            raise ApiError(status, (value or {}).get("error", {"message": text[:200]}))
        return value

    def items(self, path):
        """All items of a list, page by page."""
        found, after = [], None
        while True:
            page = self.api("GET", path + ("&" if "?" in path else "?") + "limit=1000" + (f"&after={after}" if after else ""))
            found += page["items"]
            after = page.get("next")
            if not after or not page["items"]:
                return found

    def login(self):
        self.cli("login", "--url", self.url, "--ca", self.ca, "--token-file", self.data / "admin-token")

    def cli_run(self, *arguments, deadline_s=120):
        env = {**os.environ, "PAWL_CONFIG": str(self.cli_config), "NO_COLOR": "1"}
        for name in ("PAWL_URL", "PAWL_TOKEN", "PAWL_CA"):
            env.pop(name, None)
        return subprocess.run([str(self.bin / "pawl"), *map(str, arguments)], capture_output=True, text=True, env=env,
                              timeout=deadline_s, stdin=subprocess.DEVNULL, check=False)

    def cli(self, *arguments, deadline_s=120):
        """Runs `pawl ...`; its output. LabError with what it said if it failed."""
        done = self.cli_run(*arguments, deadline_s=deadline_s)
        if done.returncode != 0:
            raise LabError(f"pawl {' '.join(map(str, arguments))}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def cli_json(self, *arguments, deadline_s=120):
        return json.loads(self.cli("--json", *arguments, deadline_s=deadline_s))

    # --- what tests ask again and again ---

    def device(self, name):
        return self.api("GET", f"/devices/{name}")

    def events(self, **filters):
        query = "&".join(f"{k}={v}" for k, v in filters.items())
        return self.items(f"/events?{query}")

    def jobs(self, campaign):
        return self.items(f"/campaigns/{campaign}/jobs")

    def wait_jobs(self, campaign, states, deadline_s=60):
        """Waits until every job of the campaign is in one of the states; the jobs."""
        def done():
            jobs = self.jobs(campaign)
            return jobs if jobs and all(j["state"] in states for j in jobs) else None
        try:
            return wait_for("", done, deadline_s, 0.1)
        except LabError:
            now = [(j["device"], j["state"], j.get("waiting"), j.get("reason")) for j in self.jobs(campaign)]
            raise LabError(f"after {deadline_s} s the jobs are not all in {states}: {now}") from None
