// One TLS set-up for MQTT and HTTPS: the device's certificate, the pinned CAs, TLS 1.2 or newer, and the device's time.
//
// Time    notAfter is compared with the time floor, which no clock can move. notBefore is compared with the clock, and
// only
//         if that was ever set: a device without a battery for its clock must not lock itself out.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/io/identity.h"

struct ssl_ctx_st;

namespace pawl::agent {

struct TlsSettings {
  std::vector<std::string> cas;            // PEM; the server's chain must end in one of them
  std::optional<DeviceIdentity> identity;  // nothing: no client certificate (enrolment)
  std::uint64_t time_floor = 0;            // seconds since 1970
  std::uint64_t clock = 0;                 // the system clock
  std::uint64_t build_time = 0;            // a clock below it was never set
};

class Tls {
 public:
  explicit Tls(TlsSettings settings) : settings_(std::move(settings)) {}
  // Puts all but the host's name into a context. Lifetime: this object outlives the context. Errors: tls error.
  Status Configure(ssl_ctx_st* context) const;
  // A client context of its own that checks the host's name (or address) too.
  Result<std::shared_ptr<ssl_ctx_st>> MakeContext(const std::string& host) const;
  const TlsSettings& settings() const { return settings_; }

 private:
  TlsSettings settings_;
};

}  // namespace pawl::agent
