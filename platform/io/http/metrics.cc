#include "platform/io/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>

namespace pawl::http {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                          0.25,  0.5,    1,     2.5,  5,     10,   30};

// Families of samples, in the order of their first appearance by name.
std::vector<prometheus::MetricFamily> Families(const std::vector<Sample>& samples) {
  std::map<std::string, prometheus::MetricFamily> families;
  for (const Sample& sample : samples) {
    prometheus::MetricFamily& family = families[sample.name];
    family.name = sample.name;
    family.help = sample.help;
    family.type = sample.counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
    (sample.counter ? metric.counter.value : metric.gauge.value) = sample.value;
    family.metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, family] : families) list.push_back(std::move(family));
  return list;
}

// A method is text of the client's: only those that we know become labels.
std::string MethodLabel(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "POST", "DELETE"}) {
    if (method == known) return std::string(known);
  }
  return "other";
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("pawl_http_requests_total")
                                                          .Help("Answered HTTP requests by route, method and status.")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("pawl_http_request_seconds")
          .Help("Time from a request's header to the end of its answer.")
          .Register(registry);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::Observe(const Exchange& exchange) {
  const std::string route(exchange.route.empty() ? "none" : exchange.route);
  const std::string method = MethodLabel(exchange.method);
  impl_->requests.Add({{"route", route}, {"method", method}, {"status", std::to_string(exchange.status)}}).Increment();
  impl_->seconds.Add({{"route", route}, {"method", method}}, kSeconds).Observe(exchange.seconds);
}

std::string Metrics::Text(const std::vector<Sample>& samples) const {
  auto families = impl_->registry.Collect();
  for (auto& family : Families(samples)) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace pawl::http
