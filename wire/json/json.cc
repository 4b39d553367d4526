#include "wire/json/json.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "trust/manifest/manifest.h"

namespace pawl::wire {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 8;
constexpr std::uint64_t kMaxU32 = 0xFFFFFFFF;
constexpr std::uint64_t kMaxU16 = 0xFFFF;

// ---------------------------------------------------------------- encode

json::string Hex(ByteView bytes) {
  json::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

json::string HexOf(Session session) {
  std::array<std::uint8_t, 8> bytes{};
  StoreBe<std::uint64_t>(bytes, session);
  return Hex(bytes);
}

json::string Base64Url(ByteView bytes) {
  json::string text(Base64UrlSize(bytes.size()), '\0');
  Base64UrlEncode(bytes, text);
  return text;
}

json::string Str(std::string_view text) { return json::string(text); }

template <class Items, class Map>
json::array List(const Items& items, Map map) {
  json::array out;
  out.reserve(items.size());
  for (const auto& item : items) out.emplace_back(map(item));
  return out;
}

template <class T, class Map>
json::value OrNull(const std::optional<T>& value, Map map) {
  return value ? json::value(map(*value)) : json::value(nullptr);
}

json::value Out(const Step& step) { return {{"phase", Str(Text(step.phase))}, {"at", step.at}}; }

json::value Out(const JobState& job) {
  return {{"n", job.n},
          {"digest", Hex(job.digest)},
          {"phase", Str(Text(job.phase))},
          {"reason", static_cast<std::uint16_t>(job.reason)},
          {"detail", Str(job.detail)},
          {"steps", List(job.steps, [](const Step& step) { return Out(step); })}};
}

json::value Out(const RunningComponent& running) {
  return {{"component", Str(running.component)},
          {"slot", Str(running.slot)},
          {"image_digest", Hex(running.image_digest)},
          {"manifest_digest", Hex(running.manifest_digest)},
          {"version", Str(running.version)},
          {"sequence", running.sequence},
          {"mode", Str(Text(running.mode))}};
}

json::value Out(const Owed& owed) {
  return {{"trial", owed.trial},
          {"job", owed.job},
          {"digest", Hex(owed.digest)},
          {"reason", static_cast<std::uint16_t>(owed.reason)},
          {"detail", Str(owed.detail)}};
}

json::value Out(const Emergency& emergency) {
  return {{"count", emergency.count}, {"reason", static_cast<std::uint16_t>(emergency.reason)}};
}

json::value Out(const State& state) {
  return {{"journal", Hex(state.journal)},
          {"rev", state.rev},
          {"job", OrNull(state.job, [](const JobState& job) { return Out(job); })},
          {"running", List(state.running, [](const RunningComponent& running) { return Out(running); })},
          {"trial", state.trial},
          {"owed", OrNull(state.owed, [](const Owed& owed) { return Out(owed); })},
          {"emergency", OrNull(state.emergency, [](const Emergency& emergency) { return Out(emergency); })}};
}

json::value Out(const Hello& hello) {
  json::object attributes;
  for (const Attribute& attribute : hello.attributes) attributes[attribute.name] = Str(attribute.value);
  json::object out{{"type", "hello"},
                   {"proto", hello.proto},
                   {"boot", Hex(hello.boot)},
                   {"nonce", Hex(hello.nonce)},
                   {"state", Out(hello.state)},
                   {"vendor", Hex(hello.vendor)},
                   {"class", Hex(hello.cls)},
                   {"board_revision", hello.board_revision},
                   {"agent", Str(hello.agent)},
                   {"keys", List(hello.keys, [](const KeyId& key) { return Hex(key); })},
                   {"floor", hello.floor},
                   {"slot_bytes", hello.slot_bytes},
                   {"watchdog_s", hello.watchdog_s},
                   {"encodings", List(hello.encodings, Str)},
                   {"attributes", std::move(attributes)}};
  if (!hello.via.empty()) out["via"] = Str(hello.via);
  return out;
}

json::value Out(const StateReport& report) {
  return {{"type", "state"}, {"session", HexOf(report.session)}, {"state", Out(report.state)}};
}

json::value Out(const Ready& ready) {
  return {{"type", "ready"},
          {"session", HexOf(ready.session)},
          {"job", ready.job},
          {"digest", Hex(ready.digest)},
          {"nonce", Hex(ready.nonce)}};
}

json::value Out(const Progress& progress) {
  return {{"type", "progress"},
          {"session", HexOf(progress.session)},
          {"job", progress.job},
          {"bytes", progress.bytes},
          {"step", Str(progress.step)}};
}

json::value Out(const Ack& ack) {
  json::object settled;
  if (ack.settled.trial) settled["trial"] = *ack.settled.trial;
  if (ack.settled.trial_job) settled["trial_job"] = *ack.settled.trial_job;
  if (ack.settled.emergency) settled["emergency"] = *ack.settled.emergency;
  return {{"type", "ack"},
          {"session", HexOf(ack.session)},
          {"journal", Hex(ack.journal)},
          {"rev", ack.rev},
          {"settled", std::move(settled)}};
}

json::value Out(const Source& source) {
  return {{"url", Str(source.url)}, {"leaves_url", Str(source.leaves_url)}, {"encoding", Str(source.encoding)}};
}

json::value Out(const Job& job) {
  return {{"n", job.n},
          {"sources", List(job.sources, [](const Source& source) { return Out(source); })},
          {"manifest", Base64Url(job.manifest)},
          {"version", Str(job.version)},
          {"size", job.size}};
}

json::value Out(const Welcome& welcome) {
  return {{"type", "welcome"},
          {"nonce", Hex(welcome.nonce)},
          {"session", HexOf(welcome.session)},
          {"time", welcome.time},
          {"ack", Out(welcome.ack)},
          {"job", OrNull(welcome.job, [](const Job& job) { return Out(job); })},
          {"cancelled", welcome.cancelled},
          {"cancel_job", welcome.cancel_job},
          {"raise_floor", welcome.raise_floor},
          {"floor", welcome.floor}};
}

json::value Out(const JobOffer& offer) {
  return {{"type", "job"}, {"session", HexOf(offer.session)}, {"job", Out(offer.job)}};
}

json::value Out(const Cancel& cancel) {
  return {{"type", "cancel"}, {"session", HexOf(cancel.session)}, {"job", cancel.job}, {"reason", Str(cancel.reason)}};
}

json::value Out(const PermitAnswer& answer) {
  return {{"type", "permit"},        {"session", HexOf(answer.session)},
          {"job", answer.job},       {"permit", Base64Url(answer.permit)},
          {"wait_s", answer.wait_s}, {"reason", Str(answer.reason)}};
}

// ---------------------------------------------------------------- decode

// Reads the members of one object. The first thing that is wrong sticks in `error`; what follows reads as empty.
class Reader {
 public:
  Reader(const json::object& object, std::string_view path, Error& error)
      : object_(object), path_(path), error_(error) {}

  std::uint64_t Number(std::string_view name, std::uint64_t max = kMaxNumber) {
    const json::value* value = Need(name);
    if (value == nullptr) return 0;
    return NumberOf(name, *value, max);
  }
  std::uint32_t U32(std::string_view name) { return static_cast<std::uint32_t>(Number(name, kMaxU32)); }
  Reason ReasonCode(std::string_view name) { return static_cast<Reason>(Number(name, kMaxU16)); }

  // Absent or null: nothing.
  template <class T>
  std::optional<T> MaybeNumber(std::string_view name) {
    const json::value* value = Find(name);
    if (value == nullptr || value->is_null()) return std::nullopt;
    const std::uint64_t max = std::min<std::uint64_t>(kMaxNumber, std::numeric_limits<T>::max());
    return static_cast<T>(NumberOf(name, *value, max));
  }

  bool Bool(std::string_view name) {
    const json::value* value = Need(name);
    if (value == nullptr) return false;
    if (!value->is_bool()) Wrong(name, "is not true or false");
    return value->is_bool() && value->get_bool();
  }

  std::string Text(std::string_view name, std::size_t max_bytes) {
    const json::value* value = Need(name);
    return value == nullptr ? std::string() : std::string(TextOf(name, *value, max_bytes));
  }

  // Absent or null: empty.
  std::string MaybeId(std::string_view name) {
    const json::value* value = Find(name);
    if (value == nullptr || value->is_null()) return {};
    const std::string_view id = TextOf(name, *value, kMaxIdBytes);
    if (!IsDeviceId(id)) Wrong(name, "is not [a-z0-9][a-z0-9._-]{0,62}");
    return std::string(id);
  }

  template <std::size_t N>
  std::array<std::uint8_t, N> HexBytes(std::string_view name) {
    const json::value* value = Need(name);
    return value == nullptr ? std::array<std::uint8_t, N>{} : HexOf<N>(name, *value);
  }
  Session SessionOf(std::string_view name) { return LoadBe<std::uint64_t>(HexBytes<8>(name)); }

  std::vector<std::uint8_t> Base64UrlBytes(std::string_view name, std::size_t max_bytes) {
    const std::string text = Text(name, Base64UrlSize(max_bytes));
    std::vector<std::uint8_t> bytes(text.size() * 3 / 4);
    const auto size = Base64UrlDecode(text, bytes);
    if (!size) Wrong(name, "is not base64url");
    bytes.resize(size.value_or(0));
    return bytes;
  }

  template <class T, class Parse>
  T Enum(std::string_view name, Parse parse) {
    const Result<T> value = parse(Text(name, kMaxNameBytes));
    if (!value) Wrong(name, value.error().detail);
    return value ? *value : T{};
  }

  // Calls `in(Reader&)` for the member object.
  template <class In>
  auto Object(std::string_view name, In in) -> std::invoke_result_t<In, Reader&> {
    const json::value* value = Need(name);
    if (value == nullptr) return {};
    return ObjectOf(name, *value, in);
  }
  template <class In>
  auto MaybeObject(std::string_view name, In in) -> std::optional<std::invoke_result_t<In, Reader&>> {
    const json::value* value = Find(name);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return ObjectOf(name, *value, in);
  }
  template <class In>
  auto Objects(std::string_view name, std::size_t max, In in) {
    return Items(name, max, [&](const json::value& value) { return ObjectOf(name, value, in); });
  }
  std::vector<std::string> Texts(std::string_view name, std::size_t max, std::size_t max_bytes) {
    return Items(name, max, [&](const json::value& value) { return std::string(TextOf(name, value, max_bytes)); });
  }
  std::vector<KeyId> KeyIds(std::string_view name) {
    return Items(name, kMaxKeyIds, [&](const json::value& value) { return HexOf<8>(name, value); });
  }
  std::vector<Attribute> Attributes(std::string_view name) {
    std::vector<Attribute> attributes;
    const json::value* value = Need(name);
    if (value == nullptr) return attributes;
    if (!value->is_object()) return Wrong(name, "is not an object"), attributes;
    const json::object& object = value->get_object();
    if (object.size() > kMaxAttributes) return Wrong(name, "has too many members"), attributes;
    for (const auto& member : object) {
      if (member.key().empty() || member.key().size() > kMaxNameBytes) Wrong(name, "has a name of a wrong length");
      attributes.push_back({std::string(member.key()), std::string(TextOf(name, member.value(), kMaxValueBytes))});
    }
    return attributes;
  }

 private:
  void Wrong(std::string_view name, std::string_view what) {
    if (error_.reason != Reason::kNone) return;
    error_.reason = Reason::kMalformed;
    error_.detail.append("\"").append(path_).append(name).append("\" ").append(what);
  }

  const json::value* Find(std::string_view name) const { return object_.if_contains(name); }
  const json::value* Need(std::string_view name) {
    const json::value* value = Find(name);
    if (value == nullptr) Wrong(name, "is missing");
    return value;
  }

  std::uint64_t NumberOf(std::string_view name, const json::value& value, std::uint64_t max) {
    if (value.is_int64() && value.get_int64() >= 0 && static_cast<std::uint64_t>(value.get_int64()) <= max) {
      return static_cast<std::uint64_t>(value.get_int64());
    }
    Wrong(name, "is not a whole number in its range");
    return 0;
  }
  std::string_view TextOf(std::string_view name, const json::value& value, std::size_t max_bytes) {
    if (!value.is_string()) return Wrong(name, "is not a text"), std::string_view();
    if (value.get_string().size() > max_bytes) return Wrong(name, "is too long"), std::string_view();
    return value.get_string();
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> HexOf(std::string_view name, const json::value& value) {
    std::array<std::uint8_t, N> bytes{};
    const std::string_view text = TextOf(name, value, 2 * N);
    const bool lower = std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
    if (!lower || !HexDecode(text, bytes)) Wrong(name, "is not lower-case hex of the right length");
    return bytes;
  }
  template <class In>
  auto ObjectOf(std::string_view name, const json::value& value, In in) -> std::invoke_result_t<In, Reader&> {
    if (!value.is_object()) {
      Wrong(name, "is not an object");
      return {};
    }
    const std::string path = std::string(path_).append(name).append(".");
    Reader reader(value.get_object(), path, error_);
    return in(reader);
  }
  template <class In>
  auto Items(std::string_view name, std::size_t max, In in)
      -> std::vector<std::invoke_result_t<In, const json::value&>> {
    std::vector<std::invoke_result_t<In, const json::value&>> items;
    const json::value* value = Need(name);
    if (value == nullptr) return items;
    if (!value->is_array()) return Wrong(name, "is not a list"), items;
    if (value->get_array().size() > max) return Wrong(name, "has too many items"), items;
    for (const json::value& item : value->get_array()) items.push_back(in(item));
    return items;
  }

  const json::object& object_;
  std::string_view path_;
  Error& error_;
};

Step InStep(Reader& in) { return {.phase = in.Enum<Phase>("phase", ParsePhase), .at = in.Number("at")}; }

JobState InJobState(Reader& in) {
  return {.n = in.Number("n"),
          .digest = in.HexBytes<32>("digest"),
          .phase = in.Enum<Phase>("phase", ParsePhase),
          .reason = in.ReasonCode("reason"),
          .detail = in.Text("detail", kMaxDetailBytes),
          .steps = in.Objects("steps", kMaxSteps, InStep)};
}

RunningComponent InRunning(Reader& in) {
  return {.component = in.Text("component", kMaxNameBytes),
          .slot = in.Text("slot", kMaxNameBytes),
          .image_digest = in.HexBytes<32>("image_digest"),
          .manifest_digest = in.HexBytes<32>("manifest_digest"),
          .version = in.Text("version", kMaxVersionBytes),
          .sequence = in.Number("sequence"),
          .mode = in.Enum<Mode>("mode", ParseMode)};
}

Owed InOwed(Reader& in) {
  return {.trial = in.U32("trial"),
          .job = in.Number("job"),
          .digest = in.HexBytes<32>("digest"),
          .reason = in.ReasonCode("reason"),
          .detail = in.Text("detail", kMaxDetailBytes)};
}

Emergency InEmergency(Reader& in) {
  return {.count = static_cast<std::uint16_t>(in.Number("count", kMaxU16)), .reason = in.ReasonCode("reason")};
}

State InState(Reader& in) {
  return {.journal = in.HexBytes<16>("journal"),
          .rev = in.Number("rev"),
          .job = in.MaybeObject("job", InJobState),
          .running = in.Objects("running", kMaxComponents, InRunning),
          .trial = in.U32("trial"),
          .owed = in.MaybeObject("owed", InOwed),
          .emergency = in.MaybeObject("emergency", InEmergency)};
}

Hello InHello(Reader& in) {
  return {.proto = in.U32("proto"),
          .boot = in.HexBytes<16>("boot"),
          .nonce = in.HexBytes<16>("nonce"),
          .state = in.Object("state", InState),
          .vendor = in.HexBytes<16>("vendor"),
          .cls = in.HexBytes<16>("class"),
          .board_revision = in.Number("board_revision"),
          .agent = in.Text("agent", kMaxNameBytes),
          .keys = in.KeyIds("keys"),
          .floor = in.U32("floor"),
          .slot_bytes = in.Number("slot_bytes"),
          .watchdog_s = in.U32("watchdog_s"),
          .encodings = in.Texts("encodings", kMaxEncodings, kMaxNameBytes),
          .attributes = in.Attributes("attributes"),
          .via = in.MaybeId("via")};
}

StateReport InStateReport(Reader& in) {
  return {.session = in.SessionOf("session"), .state = in.Object("state", InState)};
}

Ready InReady(Reader& in) {
  return {.session = in.SessionOf("session"),
          .job = in.Number("job"),
          .digest = in.HexBytes<32>("digest"),
          .nonce = in.HexBytes<16>("nonce")};
}

Progress InProgress(Reader& in) {
  return {.session = in.SessionOf("session"),
          .job = in.Number("job"),
          .bytes = in.Number("bytes"),
          .step = in.Text("step", kMaxNameBytes)};
}

Settled InSettled(Reader& in) {
  return {.trial = in.MaybeNumber<std::uint32_t>("trial"),
          .trial_job = in.MaybeNumber<std::uint64_t>("trial_job"),
          .emergency = in.MaybeNumber<std::uint16_t>("emergency")};
}

Ack InAck(Reader& in) {
  return {.session = in.SessionOf("session"),
          .journal = in.HexBytes<16>("journal"),
          .rev = in.Number("rev"),
          .settled = in.Object("settled", InSettled)};
}

Source InSource(Reader& in) {
  return {.url = in.Text("url", kMaxUrlBytes),
          .leaves_url = in.Text("leaves_url", kMaxUrlBytes),
          .encoding = in.Text("encoding", kMaxNameBytes)};
}

Job InJob(Reader& in) {
  return {.n = in.Number("n"),
          .sources = in.Objects("sources", kMaxSources, InSource),
          .manifest = in.Base64UrlBytes("manifest", kMaxEnvelopeBytes),
          .version = in.Text("version", kMaxVersionBytes),
          .size = in.Number("size")};
}

Welcome InWelcome(Reader& in) {
  return {.nonce = in.HexBytes<16>("nonce"),
          .session = in.SessionOf("session"),
          .time = in.Number("time"),
          .ack = in.Object("ack", InAck),
          .job = in.MaybeObject("job", InJob),
          .cancelled = in.Bool("cancelled"),
          .cancel_job = in.Number("cancel_job"),
          .raise_floor = in.Bool("raise_floor"),
          .floor = in.U32("floor")};
}

JobOffer InJobOffer(Reader& in) { return {.session = in.SessionOf("session"), .job = in.Object("job", InJob)}; }

Cancel InCancel(Reader& in) {
  return {.session = in.SessionOf("session"), .job = in.Number("job"), .reason = in.Text("reason", kMaxDetailBytes)};
}

PermitAnswer InPermitAnswer(Reader& in) {
  return {.session = in.SessionOf("session"),
          .job = in.Number("job"),
          .permit = in.Base64UrlBytes("permit", kMaxPermitBytes),
          .wait_s = in.U32("wait_s"),
          .reason = in.Text("reason", kMaxDetailBytes)};
}

// Parses `text` and hands its one object to `in(Reader&, Error&)`, a total function. This is where the library's
// exceptions (memory) and errors end.
template <class T, class In>
Result<T> Decode(std::string_view text, In in) {
  if (text.size() > kMaxMessageBytes) return Fail(Reason::kTooLarge, "message over 16384 bytes");
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code failed;
  const json::value value = json::parse(text, failed, {}, options);
  if (failed) return Fail(Reason::kMalformed, "not JSON, or nested deeper than 8");
  if (!value.is_object()) return Fail(Reason::kMalformed, "not a JSON object");
  Error error;
  Reader reader(value.get_object(), "", error);
  T decoded = in(reader, error);
  if (error.reason != Reason::kNone) return std::unexpected(error);
  return decoded;
}

// One message type: its name, and how to read it.
template <class Message>
struct Kind {
  std::string_view type;
  Message (*in)(Reader&);
};

template <class Variant, class... Messages>
Variant Dispatch(Reader& in, Error& error, const Kind<Messages>&... kinds) {
  const std::string type = in.Text("type", kMaxNameBytes);
  Variant message;
  const bool known = ((type == kinds.type && (message = kinds.in(in), true)) || ...);
  if (!known && error.reason == Reason::kNone) error = {Reason::kMalformed, "\"type\" names no message"};
  return message;
}

Up InUp(Reader& in, Error& error) {
  // First: a newer protocol's hello may look different in every other field.
  const auto proto = in.MaybeNumber<std::uint32_t>("proto");
  if (proto && *proto != kProtocolVersion && error.reason == Reason::kNone) {
    error = {Reason::kUnsupportedVersion, "\"proto\" is not 1"};
    return {};
  }
  return Dispatch<Up>(in, error, Kind<Hello>{"hello", InHello}, Kind<StateReport>{"state", InStateReport},
                      Kind<Ready>{"ready", InReady}, Kind<Progress>{"progress", InProgress});
}

Down InDown(Reader& in, Error& error) {
  return Dispatch<Down>(in, error, Kind<Welcome>{"welcome", InWelcome}, Kind<JobOffer>{"job", InJobOffer},
                        Kind<Cancel>{"cancel", InCancel}, Kind<Ack>{"ack", InAck},
                        Kind<PermitAnswer>{"permit", InPermitAnswer});
}

}  // namespace

std::string Encode(const Up& message) {
  return json::serialize(std::visit([](const auto& m) { return Out(m); }, message));
}

std::string Encode(const Down& message) {
  return json::serialize(std::visit([](const auto& m) { return Out(m); }, message));
}

Result<Up> DecodeUp(std::string_view text) { return Decode<Up>(text, InUp); }

Result<Down> DecodeDown(std::string_view text) { return Decode<Down>(text, InDown); }

std::string EncodeState(const State& state) { return json::serialize(Out(state)); }

Result<State> DecodeState(std::string_view text) {
  return Decode<State>(text, [](Reader& in, Error&) { return InState(in); });
}

}  // namespace pawl::wire
