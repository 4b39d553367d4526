#include "agent/io/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "agent/io/board.h"
#include "agent/io/connectivity.h"

namespace pawl::agent {
namespace {

Result<Config> Parse(std::string_view toml, const std::vector<std::string>& environment = {}) {
  return ParseConfig("/dev1", toml, environment);
}
std::string Complaint(std::string_view toml) { return std::string(Parse(toml).error().detail.view()); }

TEST(Config, HasDefaultsForEverythingButThePlatform) {
  const Config config = Parse("").value();
  EXPECT_EQ(config.slot_b, "/dev1/flash/slot_b.bin");
  EXPECT_EQ(config.InData("ledger.bin"), "/dev1/data/ledger.bin");
  EXPECT_EQ(config.patience_s, 900U);
  EXPECT_FALSE(config.allow_loopback);
  EXPECT_EQ(config.reboot_command, (std::vector<std::string>{"/sbin/reboot"}));
}

TEST(Config, TakesWhatTheFileSays) {
  const Config config = Parse(R"(
    mqtt_url = "mqtts://[::1]:18883"
    https_urls = ["https://a.example", "https://b.example:8444/"]
    allow_loopback = true
    download_rate_max = 1048576
    [attributes]
    site = "lab"
  )")
                            .value();
  EXPECT_EQ(config.https_urls.size(), 2U);
  EXPECT_TRUE(config.allow_loopback);
  EXPECT_EQ(config.download_rate_max, 1048576U);
  ASSERT_EQ(config.attributes.size(), 1U);
  EXPECT_EQ(config.attributes[0].name, "site");
  EXPECT_EQ(config.attributes[0].value, "lab");
}

TEST(Config, TheEnvironmentWins) {
  const Config config = Parse("backoff_max_s = 7\n", {"PAWL_AGENT_BACKOFF_MAX_S=9", "PAWL_AGENT_GATEWAY=10.0.0.1:53",
                                                      "PAWL_AGENT_HTTPS_URLS=[\"https://c\"]", "HOME=/root"})
                            .value();
  EXPECT_EQ(config.backoff_max_s, 9U);
  EXPECT_EQ(config.gateway, "10.0.0.1:53");
  EXPECT_EQ(config.https_urls, (std::vector<std::string>{"https://c"}));
  EXPECT_FALSE(Parse("", {"PAWL_AGENT_BACKOF_MAX_S=9"}));
}

TEST(Config, NamesTheKeyOrLineThatIsWrong) {
  EXPECT_NE(Complaint("patience = 3\n").find("patience: no such key"), std::string::npos);
  EXPECT_NE(Complaint("patience_s = -3\n").find("patience_s: must be a number"), std::string::npos);
  EXPECT_NE(Complaint("patience_s = \"3\"\n").find("patience_s"), std::string::npos);
  EXPECT_NE(Complaint("\nmqtt_url = \n").find("line 2"), std::string::npos);
  EXPECT_NE(Complaint("[attributes]\nsite = \"Z\xC3\xBCrich\"\n").find("line 2: only plain ASCII"), std::string::npos);
  EXPECT_FALSE(Parse("[!attributes]\n"));
  EXPECT_NE(Complaint("mqtt_url = \"mqtt://plain\"\n").find("mqtts://"), std::string::npos);
  EXPECT_NE(Complaint("https_urls = [\"http://plain\"]\n").find("https://"), std::string::npos);
  EXPECT_NE(Complaint("https_urls = \"https://a\"\n").find("list"), std::string::npos);
  EXPECT_NE(Complaint("allow_loopback = 1\n").find("true or false"), std::string::npos);
  EXPECT_NE(Complaint("backoff_max_s = 0\n").find("at least 1"), std::string::npos);
  EXPECT_NE(Complaint("download_rate_max = 1500\n").find("twice"), std::string::npos);
}

TEST(Config, AChildBehindASerialLineNeedsItsGatewaysNameAndKeepsItsOwnBusiness) {
  const std::string child = "serial = \"/dev/ttyUSB0\"\nvia = \"gateway-01\"\n";
  const Config config = Parse(child + "serial_baud = 921600\n").value();
  EXPECT_EQ(config.serial, "/dev/ttyUSB0");
  EXPECT_EQ(config.serial_baud, 921600U);
  EXPECT_EQ(config.via, "gateway-01");
  EXPECT_NE(Complaint("serial = \"/dev/ttyUSB0\"\n").find("via: with serial"), std::string::npos);
  EXPECT_NE(Complaint("serial = \"/dev/ttyUSB0\"\nvia = \"GW 1\"\n").find("via: with serial"), std::string::npos);
  EXPECT_NE(Complaint("via = \"gateway-01\"\n").find("via: only with serial"), std::string::npos);
  for (const std::string key : {"record", "slot_a", "slot_b", "watchdog_device"}) {
    EXPECT_NE(Complaint(child + key + " = \"/x\"\n").find(key + ": the child"), std::string::npos) << key;
  }
  EXPECT_NE(Complaint(child + "reboot_command = [\"/x\"]\n").find("reboot_command: the child"), std::string::npos);
}

TEST(Config, ThePageListsEveryKeyAndNoOther) {
  std::ifstream page("docs/spec/agent.md");
  ASSERT_TRUE(page.is_open()) << "run in the root of the source tree";
  std::vector<std::string> keys;
  std::string line;
  while (std::getline(page, line) && line != "## Configuration") {
  }
  while (std::getline(page, line) && !line.starts_with("## ")) {
    if (line.starts_with("| `")) keys.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  std::ranges::sort(keys);
  EXPECT_EQ(keys, ConfigKeys());
}

TEST(Endpoint, TakesNamesAddressesAndPorts) {
  const auto parse = [](std::string_view text) { return ParseEndpoint(text, "https", 443); };
  EXPECT_EQ(parse("https://a.example").value().port, 443);
  EXPECT_EQ(parse("https://a.example:8444/").value().port, 8444);
  EXPECT_EQ(parse("https://[2001:db8::1]:1").value().host, "2001:db8::1");
  for (const char* bad : {"", "https://", "http://a", "https://a:", "https://a:0", "https://a:65536", "https://a:x",
                          "https://a/b", "https://user@a", "https://[::1", "https://a b", "//a"}) {
    EXPECT_FALSE(parse(bad)) << bad;
  }
  EXPECT_EQ(ParseEndpoint("192.168.1.1", "", 80).value().port, 80);
}

TEST(HandOff, IsFoundOnTheKernelsCommandLine) {
  const auto hand_off = ParseHandOff("quiet pawl.handoff=B,trial,watchdog,7,3,60000 root=/dev/sda1\n");
  ASSERT_TRUE(hand_off);
  EXPECT_EQ(hand_off->slot, Slot::kB);
  EXPECT_EQ(hand_off->mode, BootMode::kTrial);
  EXPECT_EQ(hand_off->cause, ResetCause::kWatchdog);
  EXPECT_EQ(hand_off->trial, 7U);
  EXPECT_EQ(hand_off->security_version, 3U);
  EXPECT_EQ(hand_off->watchdog_ms, 60000U);
}

TEST(HandOff, IsRefusedIfAnythingIsOdd) {
  EXPECT_EQ(ParseHandOff("quiet").error().reason, Reason::kNotFound);
  EXPECT_EQ(ParseHandOff("xpawl.handoff=A,normal,power,0,0,0").error().reason, Reason::kNotFound);
  for (const char* bad : {"", "A", "C,normal,power,0,0,0", "A,normale,power,0,0,0", "A,normal,power,-1,0,0",
                          "A,normal,power,0,0", "A,normal,power,0,0,0,0", "A,normal,power,0,0,99999999999"}) {
    EXPECT_FALSE(ParseHandOff(std::string("pawl.handoff=") + bad)) << bad;
  }
}

TEST(DefaultGateway, IsTheDefaultRoutes) {
  const std::string table =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
      "eth0\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\n"
      "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\n";
  EXPECT_EQ(DefaultGateway(table), "192.168.2.1");
  EXPECT_EQ(DefaultGateway("Iface\n"), "");
  EXPECT_EQ(DefaultGateway(""), "");
  EXPECT_EQ(DefaultGateway("h\neth0\t00000000\tzz\n"), "");
}

}  // namespace
}  // namespace pawl::agent
