#include "platform/io/http/shapes.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "platform/io/http/rules.h"

namespace pawl::http {
namespace {

namespace json = boost::json;
using data::Hex;

constexpr std::uint64_t kNoUpperBoard = 0xFFFFFFFF;

json::string Str(std::string_view text) { return json::string(text.data(), text.size()); }

json::value TextOrNull(std::string_view text) { return text.empty() ? json::value(nullptr) : json::value(Str(text)); }
json::value TimeOrNull(const std::optional<std::int64_t>& ms) {
  return ms ? json::value(Str(TimeText(*ms))) : json::value(nullptr);
}

json::object ReasonShape(Reason reason, std::string_view detail) {
  return {{"code", static_cast<unsigned>(reason)}, {"text", Str(Text(reason))}, {"detail", Str(detail)}};
}
json::value ReasonOrNull(Reason reason, std::string_view detail) {
  return reason == Reason::kNone ? json::value(nullptr) : json::value(ReasonShape(reason, detail));
}

json::array KeyIds(const std::vector<KeyId>& keys) {
  json::array texts;
  for (const KeyId& key : keys) texts.push_back(json::value(Str(Hex(key))));
  return texts;
}

json::object Attributes(const std::vector<wire::Attribute>& attributes) {
  json::object object;
  for (const wire::Attribute& attribute : attributes) object[attribute.name] = Str(attribute.value);
  return object;
}

json::array Running(const wire::State& state) {
  json::array running;
  for (const wire::RunningComponent& component : state.running) {
    running.push_back(json::object{{"component", Str(component.component)},
                                   {"slot", Str(component.slot)},
                                   {"version", Str(component.version)},
                                   {"sequence", component.sequence},
                                   {"image_digest", Str(Hex(component.image_digest))},
                                   {"manifest_digest", Str(Hex(component.manifest_digest))},
                                   {"mode", Str(wire::Text(component.mode))}});
  }
  return running;
}

json::value OwedOrNull(const std::optional<wire::State>& told) {
  if (!told || !told->owed) return nullptr;
  const wire::Owed& owed = *told->owed;
  return json::object{{"trial", owed.trial}, {"job", owed.job}, {"reason", ReasonShape(owed.reason, owed.detail)}};
}

json::value EmergencyOrNull(const std::optional<wire::State>& told) {
  if (!told || !told->emergency) return nullptr;
  return json::object{{"count", told->emergency->count}, {"reason", ReasonShape(told->emergency->reason, "")}};
}

json::array Pins(const data::Device& device) {
  json::array pins;
  for (const auto& pin : {device.pin, device.next_pin}) {
    if (pin) pins.push_back(json::value(Str(Hex(*pin))));
  }
  return pins;
}

json::array Steps(const data::Job& job) {
  json::array steps;
  for (const wire::Step& step : job.steps) {
    steps.push_back(json::object{{"state", Str(wire::Text(step.phase))}, {"at", Str(TimeTextOfSeconds(step.at))}});
  }
  return steps;
}

json::value ProgressOrNull(const std::optional<data::JobProgress>& progress) {
  if (!progress) return nullptr;
  return json::object{{"bytes", progress->bytes}, {"total", progress->total}, {"at", Str(TimeText(progress->at_ms))}};
}

// Text that the data layer keeps as JSON: its own, so it parses.
json::value Stored(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  return error ? json::value(json::object()) : value;
}

}  // namespace

json::object PageShape(json::array items, const std::optional<std::string>& next) {
  return {{"items", std::move(items)}, {"next", next ? json::value(Str(*next)) : json::value(nullptr)}};
}

json::object Shape(const data::Token& token) {
  json::array scopes;
  for (const data::Scope scope : token.scopes) scopes.push_back(json::value(Str(Text(scope))));
  return {{"id", Str(token.id)},
          {"name", Str(token.name)},
          {"scopes", std::move(scopes)},
          {"created", Str(TimeText(token.created_ms))},
          {"expires", TimeOrNull(token.expires_ms)},
          {"last_used", TimeOrNull(token.last_used_ms)}};
}

json::object Shape(const data::Class& cls) {
  return {{"name", Str(cls.name)},
          {"vendor", Str(cls.vendor)},
          {"slot_bytes", cls.slot_bytes},
          {"watchdog_s", cls.watchdog_s},
          {"max_trial_budget_s", cls.max_trial_budget_s},
          {"patience_s", cls.patience_s},
          {"min_board_revision", cls.min_board_revision},
          {"max_board_revision", cls.max_board_revision == 0 ? kNoUpperBoard : cls.max_board_revision},
          {"vendor_id", Str(UuidText(cls.vendor_id))},
          {"class_id", Str(UuidText(cls.class_id))},
          {"key_ids", KeyIds(cls.keys)},
          {"created", Str(TimeText(cls.created_ms))}};
}

json::object Shape(const data::Artifact& artifact) {
  return {{"digest", Str(Hex(artifact.digest))},
          {"bytes", artifact.bytes},
          {"name", Str(artifact.name)},
          {"created", Str(TimeText(artifact.created_ms))},
          {"created_by", Str(artifact.created_by)}};
}

json::object Shape(const data::Release& release) {
  const bool published = release.state == data::ReleaseState::kPublished;
  return {{"id", Str(release.id)},
          {"class", Str(release.class_name)},
          {"artifact", Str(Hex(release.artifact))},
          {"artifact_bytes", release.artifact_bytes},
          {"version", Str(release.version)},
          {"security_version", release.security_version},
          {"min_board_revision", release.min_board_revision},
          {"trial_budget_s", release.trial_budget_s},
          {"use_before",
           release.use_before_s ? json::value(Str(TimeTextOfSeconds(*release.use_before_s))) : json::value(nullptr)},
          {"state", Str(Text(release.state))},
          {"waiting", TextOrNull(release.waiting)},
          {"reason", ReasonOrNull(release.reason, release.detail)},
          {"sequence", release.sequence == 0 ? json::value(nullptr) : json::value(release.sequence)},
          {"manifest_digest",
           release.manifest_digest ? json::value(Str(Hex(*release.manifest_digest))) : json::value(nullptr)},
          {"envelope_bytes", published ? json::value(release.envelope_bytes) : json::value(nullptr)},
          {"kids", KeyIds(release.keys)},
          {"created", Str(TimeText(release.created_ms))},
          {"created_by", Str(release.created_by)}};
}

json::object Shape(const data::Job& job) {
  return {{"id", Str(job.id)},
          {"n", job.n},
          {"device", Str(job.device)},
          {"campaign", Str(job.campaign)},
          {"release", Str(job.release)},
          {"version", Str(job.version)},
          {"state", Str(platform::Text(job.status))},
          {"timed_out", job.timed_out},
          {"permit", job.permitted ? "granted" : "none"},
          {"reason", ReasonOrNull(job.reason, job.detail)},
          {"steps", Steps(job)},
          {"progress", ProgressOrNull(job.progress)},
          {"created", Str(TimeText(job.created_ms))},
          {"updated", Str(TimeText(job.updated_ms))},
          {"waiting", TextOrNull(job.waiting)}};
}

json::object Shape(const data::Device& device, const std::optional<data::Job>& job) {
  const data::Health health = data::HealthOf(device);
  return {{"id", Str(device.id)},
          {"class", Str(device.class_name)},
          {"state", Str(Text(device.state))},
          {"connected", device.connected},
          {"last_seen", TimeOrNull(device.last_seen_ms)},
          {"board_revision", device.board_revision},
          {"attributes", Attributes(device.attributes)},
          {"running", device.told ? Running(*device.told) : json::array()},
          {"job", job ? json::value(Shape(*job)) : json::value(nullptr)},
          {"owed", OwedOrNull(device.told)},
          {"emergency", EmergencyOrNull(device.told)},
          {"floor", device.told ? json::value(device.floor) : json::value(nullptr)},
          {"agent", TextOrNull(device.agent)},
          {"via", TextOrNull(device.via)},
          {"pins", Pins(device)},
          {"certificate_expires", TimeOrNull(device.certificate_expires_ms)},
          {"health", json::object{{"ok", health.ok}, {"text", Str(health.text)}}},
          {"created", Str(TimeText(device.created_ms))}};
}

json::object Shape(const data::Claim& claim) {
  return {{"token", Str(claim.token)}, {"expires", Str(TimeText(claim.expires_ms))}};
}

json::object Shape(const data::Why& why) {
  json::array steps;
  for (const data::WhyStep& step : why.steps) steps.push_back(json::object{{"text", Str(step.text)}, {"ok", step.ok}});
  return {{"device", Str(why.device)},
          {"verdict", Str(why.verdict)},
          {"steps", std::move(steps)},
          {"remedy", TextOrNull(why.remedy)}};
}

json::object Shape(const data::Campaign& campaign, const data::Release& release) {
  json::object counts;
  for (std::size_t i = 0; i < platform::kJobStatuses; ++i) {
    counts[platform::Text(static_cast<data::JobStatus>(i))] = campaign.counts.by_status[i];
  }
  counts["timed_out"] = campaign.counts.timed_out;
  return {{"id", Str(campaign.id)},
          {"name", Str(campaign.name)},
          {"release", Str(campaign.release)},
          {"class", Str(release.class_name)},
          {"version", Str(release.version)},
          {"state", Str(Text(campaign.state))},
          {"reason", TextOrNull(campaign.reason)},
          {"targets", Stored(campaign.targets)},
          {"counts", std::move(counts)},
          {"created", Str(TimeText(campaign.created_ms))},
          {"created_by", Str(campaign.created_by)}};
}

json::object Shape(const data::Event& event) {
  json::object object{{"id", event.id},
                      {"at", Str(TimeText(event.at_ms))},
                      {"kind", Str(Text(event.kind))},
                      {"severity", Str(Text(event.severity))}};
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) object[name] = Str(value);
  };
  add("device", event.device);
  add("campaign", event.campaign);
  add("job", event.job);
  add("actor", event.actor);
  object["text"] = Str(event.text);
  object["data"] = Stored(event.data);
  return object;
}

json::object Shape(const data::AuditEntry& entry, const Digest& previous) {
  return {{"id", entry.id},
          {"at", Str(TimeText(entry.at_ms))},
          {"actor", Str(entry.actor)},
          {"action", Str(entry.action)},
          {"target", Str(entry.object)},
          {"text", Str(entry.detail)},
          {"previous", Str(Hex(previous))},
          {"hash", Str(Hex(entry.hash))}};
}

json::object Shape(const data::AuditVerdict& verdict) {
  return {{"ok", verdict.holds},
          {"rows", verdict.rows},
          {"head", Str(Hex(verdict.head))},
          {"broken_at", verdict.holds ? json::value(nullptr) : json::value(verdict.rows + 1)},
          {"text", Str(verdict.text)}};
}

json::object Shape(const ReasonEntry& entry) {
  return {{"code", static_cast<unsigned>(entry.reason)},
          {"text", Str(entry.text)},
          {"meaning", Str(entry.meaning)},
          {"remedy", Str(entry.remedy)}};
}

}  // namespace pawl::http
