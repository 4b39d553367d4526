#include "platform/main/samples.h"

namespace pawl::platform {
namespace {

constexpr bool kGauge = false;
constexpr bool kCounter = true;

void AddHttp(std::vector<http::Sample>& samples, const http::ServerCounters& http) {
  const auto add = [&](const char* name, const char* help, bool counter, std::uint64_t value) {
    samples.push_back({name, help, counter, {}, static_cast<double>(value)});
  };
  add("pawl_http_connections", "Open HTTPS connections.", kGauge, http.connections);
  add("pawl_http_connections_accepted_total", "Accepted HTTPS connections.", kCounter, http.accepted);
  add("pawl_http_connections_refused_total", "HTTPS connections closed because of a limit.", kCounter, http.refused);
  add("pawl_http_handshakes_failed_total", "TLS handshakes that failed.", kCounter, http.handshakes_failed);
  add("pawl_http_event_streams", "Clients that follow the events.", kGauge, http.event_streams);
  add("pawl_http_queued_requests", "Requests that wait for a worker.", kGauge, http.queued);
}

void AddChannel(std::vector<http::Sample>& samples, const ChannelMetrics& channel) {
  const auto message = [&](const char* kind, std::uint64_t value) {
    samples.push_back({"pawl_channel_messages_total",
                       "Messages from devices by kind.",
                       kCounter,
                       {{"kind", kind}},
                       static_cast<double>(value)});
  };
  message("hello", channel.hello);
  message("state", channel.state);
  message("ready", channel.ready);
  message("progress", channel.progress);
  const auto dropped = [&](const char* cause, std::uint64_t value) {
    samples.push_back({"pawl_channel_dropped_total",
                       "Messages dropped, by cause.",
                       kCounter,
                       {{"cause", cause}},
                       static_cast<double>(value)});
  };
  dropped("malformed", channel.malformed);
  dropped("overload", channel.overload);
  dropped("not_stored", channel.not_stored);
  dropped("unsent", channel.unsent);
  const auto add = [&](const char* name, const char* help, bool counter, std::uint64_t value) {
    samples.push_back({name, help, counter, {}, static_cast<double>(value)});
  };
  add("pawl_channel_sent_total", "Messages sent to devices.", kCounter, channel.sent);
  add("pawl_channel_pending", "Messages that wait for the database.", kGauge, channel.pending);
  add("pawl_permits_signed_total", "Permits signed.", kCounter, channel.permits_signed);
  add("pawl_permits_failed_total", "Attempts to sign a permit that failed.", kCounter, channel.permits_failed);
  add("pawl_permits_pending", "Permits that wait for the signer.", kGauge, channel.pending_permits);
  add("pawl_registry_generation", "The registry's generation in the broker's view.", kGauge, channel.view_generation);
}

}  // namespace

std::vector<http::Sample> SamplesOf(const http::ServerCounters& http, const ChannelMetrics& channel,
                                    const Children& children) {
  std::vector<http::Sample> samples;
  AddHttp(samples, http);
  AddChannel(samples, channel);
  const auto add = [&](const char* name, const char* help, std::uint64_t value) {
    samples.push_back({name, help, kCounter, {}, static_cast<double>(value)});
  };
  add("pawl_broker_restarts_total", "Restarts of the embedded broker.", children.broker_restarts);
  add("pawl_signer_restarts_total", "Restarts of the embedded signer.", children.signer_restarts);
  add("pawl_signer_operations_total", "Uses of private keys, by the signer's own log.", children.signer_operations);
  return samples;
}

}  // namespace pawl::platform
