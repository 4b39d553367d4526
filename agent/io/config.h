// The agent's configuration: agent.toml on the data partition, then PAWL_AGENT_* in the environment.
//
// Every key stands in docs/spec/agent.md, "Configuration". An unknown key is an error: a misspelt one would be
// believed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "wire/messages.h"

namespace pawl::agent {

struct Config {
  // Where things lie; by default under the device's folder.
  std::string anchors;   // rom/anchors.cbor
  std::string identity;  // rom/identity.cbor
  std::string record;    // flash/record.bin
  std::string slot_a;    // flash/slot_a.bin
  std::string slot_b;    // flash/slot_b.bin
  std::string data;      // data/

  std::string mqtt_url;                 // mqtts://host[:port]
  std::vector<std::string> https_urls;  // https://host[:port], in the order in which they are tried
  std::string bind_address;             // source address of every connection; empty: the system's choice
  std::string gateway;          // host[:port] that answers whenever the link is good; empty: the default route's
  bool allow_loopback = false;  // downloads from loopback and link-local addresses
  std::vector<wire::Attribute> attributes;

  std::uint32_t backoff_max_s = 120;        // between two tries to connect
  std::uint64_t download_rate_max = 0;      // bytes/s; 0: no limit
  std::uint64_t download_rate_min = 1024;   // bytes/s; a slower source is left
  std::uint32_t download_deadline_s = 0;    // 0: 600 s and the time that the payload takes at the minimum rate
  std::uint32_t patience_s = 900;           // self-test: how long to wait for a platform that does not answer
  std::uint32_t link_wait_s = 20;           // self-test: how long to wait for a link; at most a third of the budget
  std::string watchdog_device;              // e.g. /dev/watchdog; empty: none, or the machine's
  std::vector<std::string> reboot_command;  // default: /sbin/reboot

  // A child behind a serial line; its boot record, slots, watchdog and reset are its own.
  std::string serial;  // /dev/ttyUSB0, or unix:/path; empty: the machine that the agent runs on
  std::uint32_t serial_baud = 115200;
  std::string via;  // the name under which this gateway speaks for the child

  std::string InData(std::string_view name) const { return data + "/" + std::string(name); }
};

// The defaults for a device's folder.
Config DefaultConfig(const std::string& folder);

// Reads <folder>/data/agent.toml, if there is one, and the environment. Errors: malformed (with the line), invalid
// argument (with the key), i/o error.
Result<Config> LoadConfig(const std::string& folder);
// The same from text; for tests and fuzzers. `environment`: "NAME=value" entries.
Result<Config> ParseConfig(const std::string& folder, std::string_view toml,
                           const std::vector<std::string>& environment);

// Every key, sorted.
std::vector<std::string> ConfigKeys();

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
// "scheme://host[:port]" or, with an empty scheme, "host[:port]"; IPv6 in brackets. Errors: invalid argument.
Result<HostPort> ParseEndpoint(std::string_view text, std::string_view scheme, std::uint16_t default_port);

}  // namespace pawl::agent
