#include "wire/serial/serial.h"

#include <concepts>
#include <utility>

namespace pawl::serial {
namespace {

// Byte 0 of a payload: the message's place in its variant, from here on. Byte 1: the number; of a telling 0.
constexpr std::uint8_t kFirstRequest = 0x01;
constexpr std::uint8_t kFirstAnswer = 0x81;
constexpr std::uint8_t kFirstTelling = 0xC1;
constexpr std::size_t kHeaderBytes = 2;

// By place in the variant.
constexpr std::string_view kRequestNames[] = {"AskFacts",        "Begin",      "HashStaged", "Write",
                                              "Envelope",        "Seal",       "Pending",    "SettleRollback",
                                              "SettleEmergency", "RaiseFloor", "Reset",      "Nonce"};
constexpr std::string_view kAnswerNames[] = {"Facts", "Staged", "Hashed", "Done", "Refused"};
constexpr std::string_view kTellingNames[] = {"Started", "Changed", "NonceWanted"};
static_assert(std::size(kRequestNames) == std::variant_size_v<Request>);
static_assert(std::size(kAnswerNames) == std::variant_size_v<Answer>);
static_assert(std::size(kTellingNames) == std::variant_size_v<Telling>);

constexpr bool Printable(char c) { return c >= 0x20 && c < 0x7F; }

// Writer and Reader have the same methods, so each message's layout stands once, below.
class Writer {
 public:
  Writer(std::uint8_t kind, std::uint8_t number) {
    payload_.push_back(kind);
    payload_.push_back(number);
  }

  template <class T>
  void Number(std::string_view, const T& value) {
    std::array<std::uint8_t, sizeof(T)> bytes;
    StoreLe<T>(bytes, value);
    Append(bytes);
  }
  // An enumeration or a number that is at most `last`.
  template <class T>
  void Choice(std::string_view, const T& value, T last) {
    PAWL_ASSERT(value <= last);
    payload_.push_back(static_cast<std::uint8_t>(value));
  }
  template <std::size_t N>
  void Bytes(std::string_view, const std::array<std::uint8_t, N>& value) {
    Append(value);
  }
  template <std::size_t N>
  void Text(std::string_view, const BoundedText<N>& value) {
    static_assert(N < 256);
    payload_.push_back(static_cast<std::uint8_t>(value.size()));
    for (const char c : value.view()) payload_.push_back(static_cast<std::uint8_t>(Printable(c) ? c : '?'));
  }
  void Data(std::string_view, ByteView value) {
    PAWL_ASSERT(!value.empty() && value.size() <= kMaxDataBytes);
    Append(value);
  }
  void Version(std::string_view name, const std::uint8_t& value) { Number(name, value); }
  const Payload& payload() const { return payload_; }

 private:
  void Append(ByteView bytes) {
    for (const std::uint8_t byte : bytes) payload_.push_back(byte);
  }
  Payload payload_;
};

class Reader {
 public:
  explicit Reader(ByteView rest) : rest_(rest) {}

  template <class T>
  void Number(std::string_view field, T& value) {
    const ByteView bytes = Take(field, sizeof(T));
    if (ok()) value = LoadLe<T>(bytes);
  }
  template <class T>
  void Choice(std::string_view field, T& value, T last) {
    const ByteView bytes = Take(field, 1);
    if (ok() && bytes[0] > static_cast<std::uint8_t>(last)) Bad(field);
    if (ok()) value = static_cast<T>(bytes[0]);
  }
  template <std::size_t N>
  void Bytes(std::string_view field, std::array<std::uint8_t, N>& value) {
    const ByteView bytes = Take(field, N);
    if (ok()) std::ranges::copy(bytes, value.begin());
  }
  template <std::size_t N>
  void Text(std::string_view field, BoundedText<N>& value) {
    std::uint8_t size = 0;
    Number(field, size);
    if (ok() && size > N) Bad(field);
    const ByteView bytes = Take(field, size);
    if (ok() && !std::ranges::all_of(AsText(bytes), Printable)) Bad(field);
    if (ok()) value = AsText(bytes);
  }
  void Data(std::string_view field, ByteView& value) {
    if (rest_.empty() || rest_.size() > kMaxDataBytes) return Bad(field);
    value = Take(field, rest_.size());
  }
  void Version(std::string_view field, std::uint8_t& value) {
    Number(field, value);
    if (ok() && value != kVersion) Bad(field, Reason::kUnsupportedVersion);
  }
  // What is wrong, if something is: a field, or bytes behind the last one.
  Status End(std::string_view message) {
    if (ok() && !rest_.empty()) Bad("bytes behind its end");
    if (ok()) return {};
    Error error{reason_, "serial message "};
    error.detail.append(message).append(": ").append(field_);
    return std::unexpected(error);
  }

 private:
  bool ok() const { return reason_ == Reason::kNone; }
  void Bad(std::string_view field, Reason reason = Reason::kMalformed) {
    if (!ok()) return;  // the first one counts
    field_ = field;
    reason_ = reason;
  }
  ByteView Take(std::string_view field, std::size_t size) {
    if (size > rest_.size()) Bad(field);
    if (!ok()) return {};
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  ByteView rest_;
  std::string_view field_;
  Reason reason_ = Reason::kNone;
};

// --- The layouts. `M` is the message, const for a Writer. ---

template <class M, class T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

template <class Io, class M>
  requires(Is<M, AskFacts> || Is<M, Seal> || Is<M, Reset> || Is<M, Done> || Is<M, Changed>)
void Fields(Io&, M&) {}

template <class Io, Is<Begin> M>
void Fields(Io& io, M& m) {
  io.Bytes("manifest_digest", m.manifest_digest);
  io.Number("image_bytes", m.image_bytes);
  io.Number("envelope_bytes", m.envelope_bytes);
}
template <class Io, Is<HashStaged> M>
void Fields(Io& io, M& m) {
  io.Number("offset", m.offset);
  io.Number("bytes", m.bytes);
}
template <class Io, class M>
  requires(Is<M, Write> || Is<M, Envelope>)
void Fields(Io& io, M& m) {
  io.Number("offset", m.offset);
  io.Data("data", m.data);
}
template <class Io, Is<Pending> M>
void Fields(Io& io, M& m) {
  io.Number("job", m.job);
  io.Bytes("manifest_digest", m.manifest_digest);
}
template <class Io, Is<SettleRollback> M>
void Fields(Io& io, M& m) {
  io.Number("trial", m.trial);
  io.Number("job", m.job);
}
template <class Io, Is<SettleEmergency> M>
void Fields(Io& io, M& m) {
  io.Number("count", m.count);
}
template <class Io, Is<RaiseFloor> M>
void Fields(Io& io, M& m) {
  io.Number("value", m.value);
}
template <class Io, Is<Nonce> M>
void Fields(Io& io, M& m) {
  io.Bytes("nonce", m.nonce);
  io.Choice("relay", m.relay, Relay::kNoPlatform);
}

template <class Io, Is<Facts> M>
void Fields(Io& io, M& m) {
  io.Version("version", m.version);
  io.Bytes("boot", m.boot);
  io.Choice("slot", m.slot, std::uint8_t{1});
  io.Choice("mode", m.mode, std::uint8_t{2});
  io.Choice("cause", m.cause, std::uint8_t{3});
  io.Number("trial", m.trial);
  io.Number("security_version", m.security_version);
  io.Number("watchdog_ms", m.watchdog_ms);
  io.Bytes("record", m.record);
  io.Bytes("image_digest", m.image_digest);
  io.Bytes("manifest_digest", m.manifest_digest);
  io.Number("sequence", m.sequence);
  io.Number("trial_budget_s", m.trial_budget_s);
  io.Bytes("rom_digest", m.rom_digest);
  io.Number("slot_bytes", m.slot_bytes);
  io.Number("sector_bytes", m.sector_bytes);
  io.Choice("tests", m.tests, Tests::kFailed);
  io.Text("image_version", m.image_version);
  io.Text("tests_detail", m.tests_detail);
}
template <class Io, Is<Staged> M>
void Fields(Io& io, M& m) {
  io.Number("image_bytes", m.image_bytes);
  io.Number("envelope_bytes", m.envelope_bytes);
}
template <class Io, Is<Hashed> M>
void Fields(Io& io, M& m) {
  io.Bytes("digest", m.digest);
}
template <class Io, Is<Refused> M>
void Fields(Io& io, M& m) {
  auto number = static_cast<std::uint16_t>(m.reason);
  io.Number("reason", number);
  if constexpr (!std::is_const_v<M>) m.reason = static_cast<Reason>(number);  // a newer child may have others
  io.Text("detail", m.detail);
}
template <class Io, Is<Started> M>
void Fields(Io& io, M& m) {
  io.Bytes("boot", m.boot);
}
template <class Io, Is<NonceWanted> M>
void Fields(Io& io, M& m) {
  io.Bytes("nonce", m.nonce);
}

// --- From and to variants, without std::visit, which pulls in abort. ---

template <class Io, class V, std::size_t... I>
void FieldsOf(Io& io, V& message, std::index_sequence<I...>) {
  ((message.index() == I ? Fields(io, *std::get_if<I>(&message)) : void()), ...);
}
template <class Io, class V>
void FieldsOf(Io& io, V& message) {
  FieldsOf(io, message, std::make_index_sequence<std::variant_size_v<std::remove_const_t<V>>>{});
}

template <class V, std::size_t... I>
void Choose(V& message, std::size_t index, std::index_sequence<I...>) {
  ((index == I ? static_cast<void>(message.template emplace<I>()) : void()), ...);
}

template <class V>
Payload EncodeVariant(std::uint8_t first, std::uint8_t number, const V& message) {
  Writer writer(static_cast<std::uint8_t>(first + message.index()), number);
  FieldsOf(writer, message);
  return writer.payload();
}

// Precondition: `payload` holds a header, and kind is `first` or above.
template <class V>
Result<V> DecodeVariant(std::uint8_t first, ByteView payload, std::span<const std::string_view> names) {
  constexpr std::size_t kKinds = std::variant_size_v<V>;
  const auto index = static_cast<std::size_t>(payload[0] - first);
  if (index >= kKinds) return Fail(Reason::kMalformed, "serial message: unknown kind");
  V message;
  Choose(message, index, std::make_index_sequence<kKinds>{});
  Reader reader(payload.subspan(kHeaderBytes));
  FieldsOf(reader, message);
  PAWL_TRY(reader.End(names[index]));
  return message;
}

Status CheckHeader(ByteView payload) {
  if (payload.size() < kHeaderBytes) return Fail(Reason::kMalformed, "serial message: shorter than its header");
  if (payload.size() > kMaxPayloadBytes) return Fail(Reason::kMalformed, "serial message: too long");
  return {};
}

}  // namespace

std::string_view Name(const Request& request) { return kRequestNames[request.index()]; }
std::string_view Name(const Answer& answer) { return kAnswerNames[answer.index()]; }
std::string_view Name(const Telling& telling) { return kTellingNames[telling.index()]; }

Payload Encode(const NumberedRequest& request) { return EncodeVariant(kFirstRequest, request.number, request.request); }
Payload Encode(const NumberedAnswer& answer) { return EncodeVariant(kFirstAnswer, answer.number, answer.answer); }
Payload Encode(const Telling& telling) { return EncodeVariant(kFirstTelling, 0, telling); }

Result<NumberedRequest> DecodeRequest(ByteView payload) {
  PAWL_TRY(CheckHeader(payload));
  if (payload[0] < kFirstRequest) return Fail(Reason::kMalformed, "serial message: unknown kind");
  PAWL_ASSIGN(const Request request, DecodeVariant<Request>(kFirstRequest, payload, kRequestNames));
  return NumberedRequest{.number = payload[1], .request = request};
}

Result<FromChild> DecodeFromChild(ByteView payload) {
  PAWL_TRY(CheckHeader(payload));
  if (payload[0] < kFirstAnswer) return Fail(Reason::kMalformed, "serial message: not from a child");
  if (payload[0] < kFirstTelling) {
    PAWL_ASSIGN(const Answer answer, DecodeVariant<Answer>(kFirstAnswer, payload, kAnswerNames));
    return FromChild(NumberedAnswer{.number = payload[1], .answer = answer});
  }
  if (payload[1] != 0) return Fail(Reason::kMalformed, "serial message: a telling has no number");
  PAWL_ASSIGN(const Telling telling, DecodeVariant<Telling>(kFirstTelling, payload, kTellingNames));
  return FromChild(telling);
}

}  // namespace pawl::serial
