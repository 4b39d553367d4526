#include "trust/sign/protocol.h"

#include <array>
#include <boost/json.hpp>
#include <limits>
#include <utility>

#include "base/text.h"

namespace pawl::sign {
namespace {

namespace json = boost::json;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

constexpr std::uint64_t kMaxUint32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMaxUint64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kMaxItems = 64;

std::string Hex(ByteView bytes) {
  std::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

std::string Base64(ByteView bytes) {
  std::string text(Base64UrlSize(bytes.size()), '\0');
  Base64UrlEncode(bytes, text);
  return text;
}

// Reads an object's members, each once. Sticky: after the first failure all give empty values; Finish() tells it, and
// whether a member was left over.
class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()) {
    if (object_ == nullptr) Refuse("no object");
  }

  std::string Text(const char* name) { return TextOf(Get(name), name); }
  std::vector<std::string> Texts(const char* name) {
    std::vector<std::string> texts;
    for (const json::value& value : Items(name)) texts.push_back(TextOf(&value, name));
    return texts;
  }
  const json::array& Items(const char* name) {
    static const json::array kNone;
    const json::value* value = Get(name);
    const json::array* items = value != nullptr ? value->if_array() : nullptr;
    if (items != nullptr && items->size() <= kMaxItems) return *items;
    Refuse(name);
    return kNone;
  }
  bool Bool(const char* name) {
    const json::value* value = Get(name);
    const bool* flag = value != nullptr ? value->if_bool() : nullptr;
    if (flag == nullptr) Refuse(name);
    return flag != nullptr && *flag;
  }
  std::uint64_t Uint(const char* name, std::uint64_t max = kMaxUint64) { return UintOf(Get(name), name, max); }
  std::uint32_t Uint32(const char* name) { return static_cast<std::uint32_t>(Uint(name, kMaxUint32)); }
  std::optional<std::uint64_t> OptionalUint(const char* name) {
    if (!Has(name)) return std::nullopt;
    return Uint(name);
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> Fixed(const char* name) {
    std::array<std::uint8_t, N> bytes{};
    if (!HexDecode(Text(name), bytes)) Refuse(name);
    return bytes;
  }
  std::optional<Digest> OptionalDigest(const char* name) {
    if (!Has(name)) return std::nullopt;
    return Fixed<32>(name);
  }
  std::vector<std::uint8_t> Bytes(const char* name) {
    const std::string text = Text(name);
    std::vector<std::uint8_t> bytes(text.size());
    const auto size = Base64UrlDecode(text, bytes);
    if (!size) Refuse(name);
    bytes.resize(size.value_or(0));
    return bytes;
  }
  template <class T>
  T Checked(const char* name, Result<T> value) {
    if (value) return *value;
    Refuse(name);
    return T{};
  }

  Status Finish() {
    if (problem_.empty() && object_->size() != taken_) Refuse("a member that the protocol does not have");
    if (problem_.empty()) return {};
    return Fail(Reason::kMalformed, "signer protocol: missing, of another type or too large: " + problem_);
  }

 private:
  bool Has(const char* name) const { return object_ != nullptr && object_->contains(name); }
  const json::value* Get(const char* name) {
    if (!problem_.empty()) return nullptr;
    const json::value* value = object_->if_contains(name);
    if (value != nullptr) ++taken_;
    return value;
  }
  std::string TextOf(const json::value* value, const char* name) {
    const json::string* text = value != nullptr ? value->if_string() : nullptr;
    if (text == nullptr) Refuse(name);
    return text != nullptr ? std::string(text->data(), text->size()) : std::string();
  }
  std::uint64_t UintOf(const json::value* value, const char* name, std::uint64_t max) {
    std::uint64_t number = max;
    if (value != nullptr && value->is_uint64())
      number = value->get_uint64();
    else if (value != nullptr && value->is_int64() && value->get_int64() >= 0)
      number = static_cast<std::uint64_t>(value->get_int64());
    else
      Refuse(name);
    if (number > max) Refuse(name);
    return problem_.empty() ? number : 0;
  }
  void Refuse(std::string_view what) {
    if (problem_.empty()) problem_ = what;
  }

  const json::object* object_;
  std::size_t taken_ = 0;
  std::string problem_;
};

Result<json::value> Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = 4;
  json::error_code error;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return Fail(Reason::kMalformed, "signer protocol: no JSON: " + error.message());
  return value;
}

json::array TextArray(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

// --- Requests ---

json::object ToJson(const StatusRequest&) { return {}; }
json::object ToJson(const CaCertificatesRequest&) { return {}; }

json::object ToJson(const ManifestRequest& request) {
  const ReleaseFacts& facts = request.facts;
  json::object object{{"vendor", facts.vendor},
                      {"class", facts.class_name},
                      {"sequence", facts.sequence},
                      {"version", std::string(ToText(facts.version).view())},
                      {"security_version", facts.security_version},
                      {"min_board_revision", facts.min_board_revision},
                      {"trial_budget_s", facts.trial_budget_s},
                      {"artifact", request.artifact.path},
                      {"artifact_digest", Hex(request.artifact.digest)},
                      {"artifact_bytes", request.artifact.bytes}};
  if (facts.use_before) object["use_before"] = *facts.use_before;
  if (facts.slot) object["slot"] = *facts.slot;
  if (facts.sbom) object["sbom"] = Hex(*facts.sbom);
  return object;
}

json::object ToJson(const PermitRequest& request) {
  const Permit& permit = request.permit;
  return {{"device", std::string(permit.device.view())},
          {"job", permit.job},
          {"manifest_digest", Hex(permit.manifest_digest)},
          {"nonce", Hex(permit.nonce)},
          {"use_within_s", permit.use_within_s}};
}

json::object ToJson(const DeviceCertificateFacts& facts) {
  return {{"device", facts.device},
          {"public_key", Hex(facts.public_key)},
          {"not_before", facts.not_before},
          {"not_after", facts.not_after}};
}

json::object ToJson(const ServerCertificateFacts& facts) {
  return {{"public_key", Hex(facts.public_key)},
          {"dns_names", TextArray(facts.dns_names)},
          {"addresses", TextArray(facts.addresses)},
          {"not_before", facts.not_before},
          {"not_after", facts.not_after}};
}

ManifestRequest ReadManifestRequest(Members& members) {
  ManifestRequest request;
  request.facts.vendor = members.Text("vendor");
  request.facts.class_name = members.Text("class");
  request.facts.sequence = members.Uint("sequence");
  request.facts.version = members.Checked("version", ParseVersion(members.Text("version")));
  request.facts.security_version = members.Uint("security_version");
  request.facts.min_board_revision = members.Uint("min_board_revision");
  request.facts.trial_budget_s = members.Uint32("trial_budget_s");
  request.facts.use_before = members.OptionalUint("use_before");
  request.facts.slot = members.OptionalUint("slot");
  request.facts.sbom = members.OptionalDigest("sbom");
  request.artifact.path = members.Text("artifact");
  request.artifact.digest = members.Fixed<32>("artifact_digest");
  request.artifact.bytes = members.Uint("artifact_bytes");
  return request;
}

Result<BoundedText<63>> ShortText(const std::string& text) {
  if (text.size() > 63) return Fail(Reason::kTooLarge);
  return BoundedText<63>(std::string_view(text));
}

PermitRequest ReadPermitRequest(Members& members) {
  PermitRequest request;
  request.permit.device = members.Checked("device", ShortText(members.Text("device")));
  request.permit.job = members.Uint("job");
  request.permit.manifest_digest = members.Fixed<32>("manifest_digest");
  request.permit.nonce = members.Fixed<16>("nonce");
  request.permit.use_within_s = members.Uint32("use_within_s");
  return request;
}

DeviceCertificateFacts ReadDeviceCertificateFacts(Members& members) {
  DeviceCertificateFacts facts;
  facts.device = members.Text("device");
  facts.public_key = members.Fixed<65>("public_key");
  facts.not_before = members.Uint("not_before");
  facts.not_after = members.Uint("not_after");
  return facts;
}

ServerCertificateFacts ReadServerCertificateFacts(Members& members) {
  ServerCertificateFacts facts;
  facts.public_key = members.Fixed<65>("public_key");
  facts.dns_names = members.Texts("dns_names");
  facts.addresses = members.Texts("addresses");
  facts.not_before = members.Uint("not_before");
  facts.not_after = members.Uint("not_after");
  return facts;
}

Result<Request> ReadRequest(std::string_view operation, Members& members) {
  if (operation == "status") return StatusRequest{};
  if (operation == "ca_certificates") return CaCertificatesRequest{};
  if (operation == "sign_manifest") return ReadManifestRequest(members);
  if (operation == "sign_permit") return ReadPermitRequest(members);
  if (operation == "issue_device_certificate") return ReadDeviceCertificateFacts(members);
  if (operation == "issue_server_certificate") return ReadServerCertificateFacts(members);
  return Fail(Reason::kMalformed, "signer protocol: no such operation");
}

// --- Answers ---

json::object ToJson(const SignerStatus& status) {
  json::array keys;
  for (const SignerKey& key : status.keys) {
    keys.push_back(json::object{
        {"use", key.use}, {"label", key.label}, {"kid", Hex(key.kid)}, {"public_key", Hex(key.public_key)}});
  }
  return {{"hsm_ready", status.hsm_ready},   {"hsm_problem", status.hsm_problem}, {"module", status.module},
          {"token", status.token},           {"keys", std::move(keys)},           {"anchors", Base64(status.anchors)},
          {"operations", status.operations}, {"version", status.version}};
}
json::object ToJson(const CaCertificates& cas) {
  return {{"server_ca", cas.server_ca_pem}, {"device_ca", cas.device_ca_pem}};
}
json::object ToJson(const SignedManifest& manifest) {
  return {{"envelope", Base64(manifest.envelope)},
          {"manifest_digest", Hex(manifest.manifest_digest)},
          {"kid", Hex(manifest.kid)}};
}
json::object ToJson(const SignedPermit& permit) { return {{"permit", Base64(permit.cose_sign1)}}; }
json::object ToJson(const Certificate& certificate) {
  return {{"pem", certificate.pem}, {"der", Base64(certificate.der)}};
}

SignerStatus ReadStatus(Members& members) {
  SignerStatus status;
  status.hsm_ready = members.Bool("hsm_ready");
  status.hsm_problem = members.Text("hsm_problem");
  status.module = members.Text("module");
  status.token = members.Text("token");
  for (const json::value& item : members.Items("keys")) {
    Members key(item);
    status.keys.push_back({key.Text("use"), key.Text("label"), key.Fixed<8>("kid"), key.Fixed<65>("public_key")});
    members.Checked("keys", [&]() -> Result<bool> {
      PAWL_TRY(key.Finish());
      return true;
    }());
  }
  status.anchors = members.Bytes("anchors");
  status.operations = members.Uint("operations");
  status.version = members.Text("version");
  return status;
}

// Each answer is known by its own first member, so an answer to another question is refused by the caller's type.
Result<Answer> ReadAnswer(const json::value& value) {
  Members members(value);
  const auto has = [&](const char* name) { return value.is_object() && value.get_object().contains(name); };
  Result<Answer> answer = Fail(Reason::kMalformed, "signer protocol: an unknown answer");
  if (has("hsm_ready"))
    answer = ReadStatus(members);
  else if (has("server_ca"))
    answer = CaCertificates{members.Text("server_ca"), members.Text("device_ca")};
  else if (has("envelope"))
    answer = SignedManifest{members.Bytes("envelope"), members.Fixed<32>("manifest_digest"), members.Fixed<8>("kid")};
  else if (has("permit"))
    answer = SignedPermit{members.Bytes("permit")};
  else if (has("pem"))
    answer = Certificate{members.Text("pem"), members.Bytes("der")};
  if (answer) PAWL_TRY(members.Finish());
  return answer;
}

Error ReadError(const json::value& value) {
  Members members(value);
  const auto reason = static_cast<Reason>(members.Uint("code", std::numeric_limits<std::uint16_t>::max()));
  const std::string message = members.Text("message");
  const Error stated{reason, std::string_view(message)};
  const Status complete = members.Finish();
  return complete ? stated : complete.error();
}

}  // namespace

std::string_view OperationName(const Request& request) {
  constexpr std::array<std::string_view, 6> kNames = {
      "status",      "ca_certificates",          "sign_manifest",
      "sign_permit", "issue_device_certificate", "issue_server_certificate"};
  static_assert(kNames.size() == std::variant_size_v<Request>);
  return kNames[request.index()];
}

std::string EncodeRequest(const Request& request) {
  json::object object = std::visit([](const auto& typed) { return ToJson(typed); }, request);
  object["op"] = OperationName(request);
  return json::serialize(object);
}

Result<Request> DecodeRequest(std::string_view text) {
  PAWL_ASSIGN(const json::value value, Parse(text));
  Members members(value);
  const std::string operation = members.Text("op");
  if (operation.empty()) PAWL_TRY(members.Finish());
  Result<Request> request = ReadRequest(operation, members);
  if (request) PAWL_TRY(members.Finish());
  return request;
}

std::string EncodeAnswer(const Result<Answer>& answer) {
  if (!answer) {
    const auto code = static_cast<std::uint16_t>(answer.error().reason);
    const std::string_view message = answer.error().detail;
    return json::serialize(json::object{{"error", json::object{{"code", code}, {"message", message}}}});
  }
  json::object object = std::visit([](const auto& typed) { return ToJson(typed); }, *answer);
  return json::serialize(json::object{{"ok", std::move(object)}});
}

Result<Answer> DecodeAnswer(std::string_view text) {
  PAWL_ASSIGN(const json::value value, Parse(text));
  const json::object* object = value.if_object();
  if (object != nullptr && object->size() == 1 && object->contains("ok")) return ReadAnswer(object->at("ok"));
  if (object != nullptr && object->size() == 1 && object->contains("error")) {
    return std::unexpected(ReadError(object->at("error")));
  }
  return Fail(Reason::kMalformed, "signer protocol: neither \"ok\" nor \"error\"");
}

}  // namespace pawl::sign
