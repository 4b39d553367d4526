#!/usr/bin/python3
"""A broker that somebody else runs, without pawl's plugin: the same update, by configuration alone."""
import os
import subprocess
import unittest

from common import LabTest, scenarios
from lab.process import Child, free_ports, wait_for


class ExternalBroker(LabTest):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def platform_certificate(self):
        """A client certificate for the platform, from a CA that the broker's owner runs."""
        folder = self.folder
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "owner.key",
                     "-out", folder / "owner.pem", "-days", 30, "-subj", "/CN=broker owner")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "client.key",
                     "-out", folder / "client.csr", "-subj", "/CN=platform")
        self.openssl("x509", "-req", "-in", folder / "client.csr", "-CA", folder / "owner.pem", "-CAkey", folder / "owner.key",
                     "-CAcreateserial", "-days", 30, "-out", folder / "client.pem")

    def start_broker(self, port):
        data = self.lab.platform.data
        (self.folder / "clients.pem").write_text((data / "device-ca.pem").read_text() + (self.folder / "owner.pem").read_text())
        (self.folder / "acl").write_text("user platform\ntopic readwrite pawl/#\n"
                                         "pattern write pawl/1/default/%u/up\npattern read pawl/1/default/%u/down\n")
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"listener {port} 127.0.0.1\ncafile {self.folder}/clients.pem\ncertfile {data}/server.pem\n"
                        f"keyfile {data}/server.key\nrequire_certificate true\nuse_identity_as_username true\n"
                        f"acl_file {self.folder}/acl\npersistence false\n" + ("user root\n" if os.geteuid() == 0 else ""))
        (self.folder / "acl").chmod(0o600)
        broker = Child("mosquitto", ["/usr/sbin/mosquitto", "-c", conf], self.folder / "mosquitto.log").start()
        self.addCleanup(broker.kill)
        wait_for(f"the broker to listen\n{broker.tail()}", lambda: "running" in broker.tail() or f"port {port}" in broker.tail(), 15)

    def test_an_update_goes_through_a_broker_that_somebody_else_runs(self):
        platform = self.lab.platform
        platform.stop()
        self.platform_certificate()
        port = free_ports(1)[0]
        self.start_broker(port)
        platform.configure(broker=f"mqtts://127.0.0.1:{port}", broker_ca=str(platform.ca),
                           broker_certificate=str(self.folder / "client.pem"), broker_key=str(self.folder / "client.key"))
        platform.mqtt_url = f"mqtts://127.0.0.1:{port}"
        platform.start()
        scenarios.good_update(self.lab, [self.device("elsewhere")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
