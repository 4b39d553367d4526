#!/usr/bin/python3
"""Attacks and bad input from outside on the running programs. Each ends in a clear refusal, and nothing is lost."""
import http.client
import os
import socket
import ssl
import subprocess
import unittest

from common import LabTest, scenarios, wait_for


class Attacks(LabTest):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def self_signed(self, name):
        key, cert = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                     "-out", cert, "-days", 30, "-subj", f"/CN={name}")
        return key, cert

    def get(self, path, key=None, cert=None, headers=None, method="GET"):
        """A request to the device HTTPS port; (status, headers, body), or the TLS error."""
        context = ssl.create_default_context(cafile=str(self.lab.platform.ca))
        if cert:
            context.load_cert_chain(str(cert), str(key))
        connection = http.client.HTTPSConnection("127.0.0.1", self.lab.platform.device_port, context=context, timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def artifact(self):
        release = self.lab.release("2.1.0")
        return release["artifact"], self.lab.firmware("2.1.0").read_bytes()

    def test_b1_artifacts_only_for_registered_devices(self):
        digest, _ = self.artifact()
        self.assertEqual(self.get(f"/artifacts/v1/{digest}")[0], 401)
        key, cert = self.self_signed("b1")
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            self.get(f"/artifacts/v1/{digest}", key, cert)

    def test_suspension_shuts_https_at_once(self):
        digest, content = self.artifact()
        device = self.device("https-suspended")
        key, cert = device.folder / "data" / "device.key", device.folder / "data" / "device.pem"
        self.assertEqual(self.get(f"/artifacts/v1/{digest}", key, cert)[2], content)
        self.lab.platform.cli("device", "suspend", device.name, "--reason", "test")
        self.assertEqual(self.get(f"/artifacts/v1/{digest}", key, cert)[0], 403)

    def test_ranges_are_served_as_rfc_9110_says(self):
        digest, content = self.artifact()
        device = self.device("ranges")
        key, cert = device.folder / "data" / "device.key", device.folder / "data" / "device.pem"
        path, size = f"/artifacts/v1/{digest}", len(content)
        status, headers, body = self.get(path, key, cert)
        self.assertEqual((status, body, headers["etag"]), (200, content, f'"{digest}"'))
        for asked, first, last in (("bytes=0-65535", 0, 65535), ("bytes=65536-", 65536, size - 1), ("bytes=-100", size - 100, size - 1),
                                   (f"bytes=10-{size * 2}", 10, size - 1), ("bytes=0-0", 0, 0)):
            status, headers, body = self.get(path, key, cert, {"Range": asked})
            self.assertEqual((status, headers["content-range"], body), (206, f"bytes {first}-{last}/{size}", content[first:last + 1]), asked)
        status, headers, _ = self.get(path, key, cert, {"Range": f"bytes={size}-"})
        self.assertEqual((status, headers["content-range"]), (416, f"bytes */{size}"))
        status, _, body = self.get(path, key, cert, {"Range": "bytes=5-9", "If-Range": '"other"'})
        self.assertEqual((status, len(body)), (200, size))
        status, _, body = self.get(path, key, cert, {"Range": "bytes=5-9", "If-Range": f'"{digest}"'})
        self.assertEqual((status, body), (206, content[5:10]))
        self.assertEqual(self.get(path, key, cert, {"If-None-Match": f'"{digest}"'})[0], 304)
        self.assertEqual(self.get("/artifacts/v1/../../pawl.db", key, cert)[0] // 100, 4)
        self.assertEqual(self.get("/artifacts/v1/" + "0" * 64, key, cert)[0], 404)

    def test_b2_a_device_neither_hears_nor_speaks_for_another(self):
        spy, victim = self.device("spy"), self.device("victim")
        spy.power_off()
        data = spy.folder / "data"
        mqtt = ["-h", "127.0.0.1", "-p", str(self.lab.platform.mqtt_port), "--cafile", str(self.lab.platform.ca), "--cert",
                str(data / "device.pem"), "--key", str(data / "device.key"), "-V", "mqttv5", "-u", "spy", "-i", "spy", "-q", "1"]
        ears = subprocess.Popen(["mosquitto_sub", *mqtt, "-t", "pawl/1/default/spy/down", "-t", "#", "-t", "pawl/1/default/victim/down", "-t", "pawl/1/+/+/up", "-W", "25"],
                                stdout=subprocess.PIPE)
        self.addCleanup(ears.stdout.close)
        self.addCleanup(ears.wait)
        self.addCleanup(ears.kill)
        wait_for("the spy to be let in and denied", lambda: "denied spy to subscribe to pawl/1/+/+/up" in
                 (self.folder / "pawld.log").read_text(errors="replace"), 20)
        scenarios.good_update(self.lab, [victim])
        ears.kill()
        self.assertEqual(ears.stdout.read(), b"")
        before = victim.registered()["running"]
        subprocess.run(["mosquitto_pub", *mqtt, "-t", "pawl/1/default/victim/up", "-m",
                        '{"type":"state","session":"0","state":{}}'], timeout=20, check=False, capture_output=True)
        self.assertEqual(victim.registered()["running"], before)

    def test_a_spoofed_name_is_refused_before_the_connack(self):
        spoofer = self.device("spoofer")
        spoofer.power_off()
        data = spoofer.folder / "data"
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.lab.platform.mqtt_port), "--cafile",
                               str(self.lab.platform.ca), "--cert", str(data / "device.pem"), "--key", str(data / "device.key"), "-V",
                               "mqttv5", "-u", "somebody-else", "-i", "x", "-t", "t", "-m", "x"], capture_output=True, text=True, timeout=20,
                              check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stderr, "(?i)not authori[sz]ed|refused")

    def test_a_claim_serves_one_key_only(self):
        from lab.device import Device
        device = Device(self.lab, "claimed-twice")
        device.make("1.0.0")
        device.enrol()
        thief = Device(self.lab, "thief")
        thief.make("1.0.0")
        done = subprocess.run([str(self.lab.platform.bin / "pawl-agent"), "enrol", "--dir", str(thief.folder), "--claim",
                               str(self.folder / "claimed-twice.claim"), "--url", self.lab.platform.device_url, "--ca",
                               str(self.lab.platform.ca)], capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("claim", done.stderr)
        self.assertEqual(device.registered()["state"], "quarantined")
        self.assertTrue(self.lab.platform.events(kind="claim.conflict"))

    def test_garbage_on_every_port_does_no_harm(self):
        for port in (self.lab.platform.api_port, self.lab.platform.device_port, self.lab.platform.mqtt_port):
            for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\x16\x03\x01\xff\xff" + b"\0" * 200):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
                    s.sendall(garbage)
                    s.settimeout(15)
                    try:
                        while s.recv(4096):
                            pass
                    except OSError:
                        pass
        self.assertEqual(self.lab.platform.api("GET", "/readyz", raw=True)[0], 200)

    def test_the_cli_names_what_is_wrong_and_what_to_do(self):
        for arguments, words in ((("device", "show", "nobody"), ("nobody", "try:")),
                                 (("release", "create", "--class", "nothing", "--version", "1.0.0", str(self.lab.firmware("1.0.0"))), ("nothing",)),
                                 (("release", "create", "--class", "virtual-1", "--version", "one", str(self.lab.firmware("1.0.0"))), ("version",)),
                                 (("release", "create", "--class", "virtual-1", "--version", "9.0.0", str(self.lab.firmware("1.0.0")),
                                   "--trial-budget-s", "4000"), ("budget",)),
                                 (("device", "claim", "Not An Id", "--class", "virtual-1"), ("id",)),
                                 (("campaign", "create", "--name", "x", "--release", "none", "--all"), ("release",))):
            done = self.lab.platform.cli_run(*arguments)
            self.assertNotEqual(done.returncode, 0, arguments)
            for word in words:
                self.assertIn(word, done.stderr, arguments)

    def test_secrets_are_nowhere_they_must_not_be(self):
        data = self.lab.platform.data
        pin = (data / "hsm" / "pin").read_text().strip()
        token = (data / "admin-token").read_text().strip()
        secret = token.rsplit("_", 1)[1]
        haystack = (data / "pawl.db").read_bytes() + (self.folder / "pawld.log").read_bytes()
        for wal in data.glob("pawl.db-*"):
            haystack += wal.read_bytes()
        self.assertNotIn(secret.encode(), haystack)
        self.assertNotIn(pin.encode(), haystack)
        for path in (data / "hsm" / "pin", data / "admin-token", data / "server.key", self.lab.platform.cli_config):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def flip_a_bit_of_b(self, device):
        with open(device.folder / "flash" / "slot_b.bin", "r+b") as file:
            file.seek(12345)
            byte = file.read(1)
            file.seek(12345)
            file.write(bytes([byte[0] ^ 1]))

    def test_a_corrupt_pending_slot_is_never_booted(self):
        """C1: a bit of B is changed after it was verified and marked pending. An image that never confirms: the trial waits for us."""
        device = self.device("toctou")
        campaign = self.lab.campaign("toctou", self.lab.release("2.2.4-never-confirms"), [device])
        device.wait_serial("mode=trial", 60)
        device.kill()
        self.flip_a_bit_of_b(device)
        device.power_on()
        job = self.lab.platform.wait_jobs(campaign, ("succeeded", "rolled_back"), 60)[0]
        self.assertEqual((job["state"], job["reason"]["text"]), ("rolled_back", "invalid image"))
        device.wait_confirmed("1.0.0")

    def test_a_corrupt_confirmed_slot_falls_back_and_is_reported(self):
        """C1, later: the same after B was confirmed and reported."""
        device = self.device("rotten")
        campaign = self.lab.campaign("rotten", self.lab.release("2.1.0"), [device])
        self.lab.platform.wait_jobs(campaign, ("succeeded",), 60)
        device.kill()
        self.flip_a_bit_of_b(device)
        device.power_on()
        device.wait_confirmed("1.0.0")
        wait_for("the emergency's event", lambda: self.lab.platform.events(device=device.name, kind="device.emergency"), 20)

    def test_a_lost_flash_is_reported_not_hidden(self):
        device = self.device("lost-record")
        device.kill()
        record = device.folder / "flash" / "record.bin"
        record.write_bytes(b"\x5a" * record.stat().st_size)
        device.power_on()
        device.wait_confirmed("1.0.0")
        wait_for("the emergency's event", lambda: self.lab.platform.events(device=device.name, kind="device.emergency"), 20)

    def test_an_altered_rom_is_not_started(self):
        device = self.device("rom")
        device.kill()
        rom = device.folder / "rom" / "anchors.cbor"
        rom.chmod(0o644)
        content = bytearray(rom.read_bytes())
        content[40] ^= 1
        rom.write_bytes(bytes(content))
        rom.chmod(0o444)
        device.power_on()
        self.assertEqual(device.machine.process.wait(20), 2)  # ROM refused
        self.assertIn("anchors", device.machine.tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
