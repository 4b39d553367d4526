// /healthz, /readyz, /metrics: without a token, without secrets.
#include <boost/json/object.hpp>
#include <map>

#include "base/version.h"
#include "platform/io/data/campaigns.h"
#include "platform/io/data/devices.h"
#include "platform/io/data/statistics.h"
#include "platform/io/http/operation.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

json::object Shape(const Part& part) { return {{"ok", part.ok}, {"text", part.text}}; }

Response HealthResponse(const Health& health, unsigned status) {
  return JsonResponse({{"ok", health.ready()},
                       {"parts", json::object{{"database", Shape(health.database)},
                                              {"broker", Shape(health.broker)},
                                              {"signer", Shape(health.signer)},
                                              {"store", Shape(health.store)}}}},
                      status);
}

// What the database knows. Empty, if it does not answer: the other metrics are still told.
std::vector<Sample> DatabaseSamples(data::Database& database) {
  const auto counted = database.Read([](sql::Tx& tx) { return data::CountAll(tx); });
  std::vector<Sample> samples;
  if (!counted) return samples;
  for (const auto& [state, count] : counted->devices) {
    samples.push_back(
        {"pawl_devices", "Registered devices by state.", false, {{"state", state}}, static_cast<double>(count)});
  }
  for (const auto& [state, count] : counted->jobs) {
    samples.push_back({"pawl_jobs", "Jobs by state.", false, {{"state", state}}, static_cast<double>(count)});
  }
  samples.push_back({"pawl_devices_connected",
                     "Devices on the command channel.",
                     false,
                     {},
                     static_cast<double>(counted->connected)});
  samples.push_back({"pawl_jobs_timed_out",
                     "Jobs that carry the mark timed out.",
                     false,
                     {},
                     static_cast<double>(counted->timed_out)});
  samples.push_back({"pawl_permits_granted_total",
                     "Jobs that were ever granted a permit.",
                     true,
                     {},
                     static_cast<double>(counted->permitted)});
  samples.push_back({"pawl_releases_signing",
                     "Releases that wait for their signature.",
                     false,
                     {},
                     static_cast<double>(counted->signing)});
  return samples;
}

void AddUp(std::vector<Sample>& samples, std::string_view part, bool up) {
  samples.push_back({"pawl_up", "Whether a part answers.", false, {{"part", std::string(part)}}, up ? 1.0 : 0.0});
}

std::vector<Sample> AllSamples(Api& api) {
  std::vector<Sample> samples = api.samples();
  for (Sample& sample : DatabaseSamples(api.database)) samples.push_back(std::move(sample));
  const Health health = api.health();
  AddUp(samples, "database", health.database.ok);
  AddUp(samples, "broker", health.broker.ok);
  AddUp(samples, "hsm", health.signer.ok);
  AddUp(samples, "store", health.store.ok);
  samples.push_back({"pawl_build_info", "The version that runs.", false, {{"version", std::string(kVersion)}}, 1});
  return samples;
}

void AddGet(Router& router, std::string path, Handler handler) {
  router.Add({"GET", std::move(path), std::move(handler), BodyKind::kBuffered, 0});
}

}  // namespace

void AddHealthRoutes(Router& router, Api& api) {
  AddGet(router, "/healthz", [&api](Request&) { return HealthResponse(api.health(), 200); });
  AddGet(router, "/readyz", [&api](Request&) {
    const Health health = api.health();
    return HealthResponse(health, health.ready() ? 200 : 503);
  });
  AddGet(router, "/metrics", [&api](Request&) {
    Response response;
    response.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8").set("Cache-Control", "no-store");
    response.body = api.metrics.Text(AllSamples(api));
    return response;
  });
}

}  // namespace pawl::http
