// The self-test's connectivity: a fresh nonce fetched over mTLS on a connection of its own, from any platform endpoint;
// if none gives one, whether the link is good at all. Source: docs/spec/protocol.md, device rule 5.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/self_test_plan.h"
#include "agent/io/config.h"
#include "agent/io/http.h"

namespace pawl::agent {

class Connectivity final : private HttpHandler {
 public:
  // Lifetime: keeps `http`.
  Connectivity(HttpClient& http, const Config& config) : http_(http), config_(config) {}
  ~Connectivity() override { Stop(); }

  // One try at all endpoints, then the gateway, within budget_ms. No answer from before this test can hold its nonce.
  void Start(std::uint64_t budget_ms, const Nonce& nonce);
  void Stop();
  // Nothing: not done yet.
  std::optional<Verdict> Take();
  const std::string& detail() const { return detail_; }

 private:
  bool OnBody(ByteView bytes) override;
  void OnDone(const HttpOutcome& outcome) override;
  void AskNext();
  void AskGateway();
  bool NonceReturned() const;

  HttpClient& http_;
  const Config& config_;
  HttpClient::Id request_ = 0;
  std::uint64_t try_ms_ = 0;
  std::size_t next_ = 0;  // endpoint
  bool asking_gateway_ = false;
  bool link_ = false;  // something answered
  std::string nonce_;  // hex
  std::string body_;
  std::string detail_;
  std::optional<Verdict> verdict_;
};

// The default route's gateway by /proc/net/route's text; empty: none.
std::string DefaultGateway(std::string_view route_table);

}  // namespace pawl::agent
