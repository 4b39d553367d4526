// What the routes stand on, and the functions that add them to a router.
//
// Lifetime  the Api outlives the server.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "platform/io/data/database.h"
#include "platform/io/http/metrics.h"
#include "platform/io/http/rate_limit.h"
#include "platform/io/http/router.h"
#include "platform/io/store/artifact_store.h"
#include "trust/manifest/manifest.h"
#include "trust/sign/client.h"

namespace pawl::http {

struct Part {
  bool ok = false;
  std::string text;  // one short sentence
};
struct Health {
  Part database, broker, signer, store;
  // A signer that does not answer leaves the platform ready: releases and permits wait, the rest goes on.
  bool ready() const { return database.ok && broker.ok && store.ok; }
};

struct ApiConfig {
  std::uint64_t artifact_bytes_max = std::uint64_t{1} << 30;
  std::uint64_t device_certificate_life_s = 365 * 86400;
  double failed_logins_per_s = 1;
  double failed_logins_burst = 100;
  double enrolments_per_s = 20;  // of one address
  double enrolments_burst = 200;
};

// The trust anchors for device ROMs, and the image keys among them.
struct Anchors {
  std::vector<std::uint8_t> cbor;
  std::vector<KeyId> image_keys;
};
// Issues a certificate with the device CA: SignerClient::IssueDeviceCertificate in pawld.
using CertificateIssuer = std::function<Result<Certificate>(const DeviceCertificateFacts&)>;

struct Api {
  data::Database& database;
  store::ArtifactStore& store;
  Metrics& metrics;
  ApiConfig config = {};
  Anchors anchors = {};
  std::string device_ca_pem = {};
  CertificateIssuer issue = {};
  std::function<Health()> health = {};
  std::function<std::vector<Sample>()> samples = {};  // for /metrics, besides those of the database
  // Held while an artifact's bytes and its row come or go together.
  std::mutex artifacts_mutex = {};
  RateLimit failed_logins{config.failed_logins_per_s, config.failed_logins_burst};
  RateLimit enrolments{config.enrolments_per_s, config.enrolments_burst};
};

// The operator API and its health and metrics: all paths of api/openapi.yaml but those for devices.
void AddOperatorRoutes(Router& router, Api& api);
// Enrolment, renewal, nonce, downloads.
void AddDeviceRoutes(Router& router, Api& api);

}  // namespace pawl::http
