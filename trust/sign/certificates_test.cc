// The certificates are judged by the openssl program, not by the code that made them.
#include "trust/sign/certificates.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>

#include "base/hosted/files.h"
#include "trust/sign/soft/soft_key.h"
#include "trust/sign/temporary_folder.h"

namespace pawl::sign {
namespace {

constexpr std::uint64_t kDayS = 86400;

struct Outcome {
  int status;
  std::string text;
};

Outcome Shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  PAWL_ASSERT(pipe != nullptr);
  std::string text(65536, '\0');
  text.resize(fread(text.data(), 1, text.size(), pipe));
  return {pclose(pipe), text};
}

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class Certificates : public ::testing::Test {
 protected:
  void SetUp() override {
    Store("server-ca.pem", *MakeServerCa(server_ca_key_, {"updates.example.com", "192.0.2.7"}, now_));
    Store("device-ca.pem", *MakeDeviceCa(device_ca_key_, now_));
  }
  void Store(const std::string& name, const Certificate& certificate) {
    ASSERT_TRUE(WriteFileDurably(folder_.file(name), certificate.pem, 0600));
  }
  std::string Pem(const std::string& name) { return *ReadFile(folder_.file(name)); }
  std::string Text(const std::string& name) {
    return Shell("openssl x509 -noout -text -in " + folder_.file(name)).text;
  }
  Outcome Verify(const std::string& ca, const std::string& leaf, const std::string& options) {
    return Shell("openssl verify -x509_strict -CAfile " + folder_.file(ca) + " " + options + " " + folder_.file(leaf));
  }
  Result<Certificate> Device(DeviceCertificateFacts facts) {
    return IssueDeviceCertificate(Pem("device-ca.pem"), device_ca_key_, facts);
  }
  Result<Certificate> Server(ServerCertificateFacts facts) {
    return IssueServerCertificate(Pem("server-ca.pem"), server_ca_key_, facts);
  }

  TemporaryFolder folder_;
  SoftKey server_ca_key_{"server ca"};
  SoftKey device_ca_key_{"device ca"};
  const std::uint64_t now_ = static_cast<std::uint64_t>(std::time(nullptr));
  const DeviceCertificateFacts device_{"dev-0001.site_a", SoftKey("device").public_key(), now_, now_ + 90 * kDayS};
  const ServerCertificateFacts server_{SoftKey("server").public_key(),
                                       {"localhost", "updates.example.com"},
                                       {"127.0.0.1", "::1", "192.0.2.7"},
                                       now_,
                                       now_ + 90 * kDayS};
};

TEST_F(Certificates, CasAreForOnePurposeAndCertifyNoFurtherCas) {
  for (const char* name : {"server-ca.pem", "device-ca.pem"}) {
    const std::string text = Text(name);
    EXPECT_TRUE(Contains(text, "CA:TRUE, pathlen:0")) << text;
    EXPECT_TRUE(Contains(text, "Basic Constraints: critical"));
    EXPECT_TRUE(Contains(text, "Key Usage: critical"));
    EXPECT_EQ(Verify(name, name, "").status, 0);
  }
  EXPECT_TRUE(Contains(Text("server-ca.pem"), "TLS Web Server Authentication"));
  EXPECT_TRUE(Contains(Text("server-ca.pem"), "Name Constraints: critical"));
  EXPECT_TRUE(Contains(Text("device-ca.pem"), "TLS Web Client Authentication"));
}

TEST_F(Certificates, ADevicesCertificateIsForTlsClientsAlone) {
  Store("device.pem", *Device(device_));
  EXPECT_EQ(Verify("device-ca.pem", "device.pem", "-purpose sslclient").status, 0);
  EXPECT_NE(Verify("device-ca.pem", "device.pem", "-purpose sslserver").status, 0);
  EXPECT_NE(Verify("server-ca.pem", "device.pem", "").status, 0);
  const std::string text = Text("device.pem");
  EXPECT_TRUE(Contains(text, "Subject: CN = dev-0001.site_a\n")) << text;
  EXPECT_TRUE(Contains(text, "CA:FALSE"));
  EXPECT_TRUE(Contains(text, "Digital Signature"));
  EXPECT_TRUE(Contains(text, "Subject Key Identifier"));
  EXPECT_TRUE(Contains(text, "Authority Key Identifier"));
}

TEST_F(Certificates, AServersCertificateHoldsForItsNamesAndIsForTlsServersAlone) {
  Store("server.pem", *Server(server_));
  for (const char* name : {"-verify_hostname localhost", "-verify_hostname updates.example.com", "-verify_ip 127.0.0.1",
                           "-verify_ip ::1", "-verify_ip 192.0.2.7"}) {
    const Outcome outcome = Verify("server-ca.pem", "server.pem", std::string("-purpose sslserver ") + name);
    EXPECT_EQ(outcome.status, 0) << outcome.text;
  }
  EXPECT_NE(Verify("server-ca.pem", "server.pem", "-verify_hostname other.example.com").status, 0);
  EXPECT_NE(Verify("server-ca.pem", "server.pem", "-purpose sslclient").status, 0);
}

TEST_F(Certificates, TheServerCaCertifiesNoNameBeyondItsConstraints) {
  for (const char* name : {"bank.example", "updates.example.com.evil.example"}) {
    ServerCertificateFacts facts = server_;
    facts.dns_names = {name};
    EXPECT_EQ(Server(facts).error().reason, Reason::kForbidden) << name;
  }
  ServerCertificateFacts facts = server_;
  facts.addresses = {"192.0.2.8"};
  EXPECT_EQ(Server(facts).error().reason, Reason::kForbidden);
}

TEST_F(Certificates, VerifiersHoldTheConstraintsToo) {
  Store("server.pem", *Server(server_));
  Store("loopback-ca.pem", *MakeServerCa(server_ca_key_, {}, now_));  // the same key, fewer names
  const Outcome outcome = Verify("loopback-ca.pem", "server.pem", "");
  EXPECT_NE(outcome.status, 0);
  EXPECT_TRUE(Contains(outcome.text, "permitted subtree violation")) << outcome.text;
  EXPECT_FALSE(*PermitsExactly(Pem("loopback-ca.pem"), {"updates.example.com", "192.0.2.7"}));
  EXPECT_TRUE(*PermitsExactly(Pem("server-ca.pem"), {"updates.example.com", "192.0.2.7"}));
}

TEST_F(Certificates, SerialNumbersNeverRepeat) {
  Store("one.pem", *Device(device_));
  Store("two.pem", *Device(device_));
  const auto serial = [&](const char* name) {
    return Shell("openssl x509 -noout -serial -in " + folder_.file(name)).text;
  };
  EXPECT_NE(serial("one.pem"), serial("two.pem"));
  EXPECT_GT(serial("one.pem").size(), 32U);
}

TEST_F(Certificates, FactsThatDoNotHoldAreRefused) {
  const auto reason = [&](auto change) {
    DeviceCertificateFacts facts = device_;
    change(facts);
    const auto made = Device(facts);
    return made ? Reason::kNone : made.error().reason;
  };
  using Facts = DeviceCertificateFacts;
  EXPECT_EQ(reason([](Facts&) {}), Reason::kNone);
  for (const char* id : {"", "-dev", "Dev", "dev/1", "dev 1", "dev\n1", "d\xc3\xa9v"}) {
    EXPECT_EQ(reason([&](Facts& facts) { facts.device = id; }), Reason::kInvalidArgument) << id;
  }
  EXPECT_EQ(reason([](Facts& facts) { facts.device = std::string(64, 'a'); }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.not_after = facts.not_before; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.not_after += 11 * 366 * kDayS; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.not_before = facts.not_after = ~0ULL; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.public_key[64] ^= 1; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.public_key = {}; }), Reason::kInvalidArgument);
  EXPECT_EQ(reason([](Facts& facts) { facts.public_key[0] = 6 + (facts.public_key[64] & 1); }),
            Reason::kInvalidArgument);
}

TEST_F(Certificates, NamesOfServersThatAreNoneAreRefused) {
  for (const char* name : {"", "*.example.com", "Upper.example.com", "a..b", ".a", "a b", "a\n", "127.0.0.1/8"}) {
    EXPECT_EQ(MakeServerCa(server_ca_key_, {name}, now_).error().reason, Reason::kInvalidArgument) << name;
  }
  ServerCertificateFacts facts = server_;
  facts.dns_names.clear();
  facts.addresses.clear();
  EXPECT_EQ(Server(facts).error().reason, Reason::kInvalidArgument);
  facts.addresses = {"127.0.0.256"};
  EXPECT_EQ(Server(facts).error().reason, Reason::kInvalidArgument);
  facts.addresses.assign(33, "127.0.0.1");
  EXPECT_EQ(Server(facts).error().reason, Reason::kInvalidArgument);
}

}  // namespace
}  // namespace pawl::sign
