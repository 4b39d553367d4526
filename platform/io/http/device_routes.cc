// HTTPS for devices: enrolment, renewal, nonce, downloads.
#include <algorithm>
#include <boost/json/object.hpp>
#include <ctime>
#include <memory>

#include "base/text.h"
#include "platform/io/data/devices.h"
#include "platform/io/http/csr.h"
#include "platform/io/http/errors.h"
#include "platform/io/http/members.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "trust/crypto/crypto.h"

namespace pawl::http {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxEnrolBytes = 4096;
constexpr std::int64_t kBackdateS = 300;  // for clocks that are a little behind

bool IsClaimToken(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= 200 && std::ranges::all_of(text, fits);
}
bool IsCsr(std::string_view text) { return !text.empty() && text.size() <= kMaxCsrBytes; }
std::int64_t NowS() { return static_cast<std::int64_t>(std::time(nullptr)); }

using DeviceHandler = std::function<Result<Response>(Api&, Request&)>;
Handler Answering(Api& api, DeviceHandler handler) {
  return [&api, handler = std::move(handler)](Request& request) {
    Result<Response> response = handler(api, request);
    if (response) return std::move(*response);
    const bool nobody = response.error().reason == Reason::kUnauthenticated;
    return ErrorResponse(response.error(),
                         nobody ? "Connect with the device's certificate; enrol first: pawl-agent enrol." : "");
  };
}

// --- Who is it? ---

Result<PeerCertificate> CertificateOf(const Request& request) {
  if (!request.peer.certificate) {
    return Fail(Reason::kUnauthenticated, "this path needs a device's client certificate");
  }
  return *request.peer.certificate;
}

Status CheckDates(const PeerCertificate& certificate) {
  if (certificate.not_after_s < NowS()) {
    return Fail(Reason::kForbidden,
                "the certificate of " + certificate.common_name + " has expired: renew it with POST /device/v1/renew");
  }
  return {};
}

// Looked up for every request, so that a change in the registry holds from the next one on.
Status Admit(Api& api, const Request& request) {
  PAWL_ASSIGN(const PeerCertificate certificate, CertificateOf(request));
  PAWL_TRY(CheckDates(certificate));
  PAWL_ASSIGN(const data::Admission admission, api.database.Read([&](sql::Tx& tx) {
    return data::Admit(tx, certificate.common_name, certificate.spki);
  }));
  if (!admission.needs_contact) return {};
  return api.database.Write([&](sql::Tx& tx) { return data::Contact(tx, certificate.common_name, certificate.spki); });
}

DeviceHandler ForDevices(DeviceHandler handler) {
  return [handler = std::move(handler)](Api& api, Request& request) -> Result<Response> {
    PAWL_TRY(Admit(api, request));
    return handler(api, request);
  };
}

// --- Certificates ---

Response CertificateResponse(const Api& api, std::string_view pem) {
  return JsonResponse({{"certificate", json::string_view(pem.data(), pem.size())},
                       {"device_ca", json::string_view(api.device_ca_pem)}});
}

struct Issued {
  std::string pem;
  std::int64_t expires_ms = 0;
};
Result<Issued> Issue(const Api& api, const std::string& device, const PublicKey& key) {
  DeviceCertificateFacts facts;
  facts.device = device;
  facts.public_key = key;
  facts.not_before = static_cast<std::uint64_t>(NowS() - kBackdateS);
  facts.not_after = static_cast<std::uint64_t>(NowS()) + api.config.device_certificate_life_s;
  PAWL_ASSIGN(const Certificate certificate, api.issue(facts));
  return Issued{certificate.pem, static_cast<std::int64_t>(facts.not_after) * 1000};
}

std::unexpected<Error> ClaimConflict(const std::string& device) {
  return Fail(Reason::kClaimConflict,
              "the claim of " + device + " was used with another key: the device is quarantined now");
}

// A wrong, used-up or expired token and an unknown id are told apart by nobody.
Result<data::Enrolment> Begin(Api& api, const std::string& id, const std::string& token, const Digest& spki) {
  auto enrolment = api.database.Write([&](sql::Tx& tx) { return data::BeginEnrolment(tx, id, token, spki); });
  if (!enrolment && enrolment.error().reason == Reason::kUnauthenticated) {
    return Fail(Reason::kForbidden, "no claim for this device and token; make a new one: pawl device claim");
  }
  return enrolment;
}

Result<Response> Enrol(Api& api, Request& request) {
  if (!api.enrolments.Take(request.peer.address)) {
    return Fail(Reason::kRateLimited, "too many enrolments from " + request.peer.address);
  }
  if (auto refused = RefuseType(request, "application/json")) return std::move(*refused);
  PAWL_ASSIGN(const json::object body, ParseJsonObject(request.body));
  Members members(body);
  PAWL_ASSIGN(const std::string id, members.Text("id", IsLabel, "[a-z0-9][a-z0-9._-]{0,62}"));
  PAWL_ASSIGN(const std::string token, members.Text("token", IsClaimToken, "a claim's token"));
  PAWL_ASSIGN(const std::string csr, members.Text("csr", IsCsr, "a PKCS #10 request in PEM of at most 3500 bytes"));
  PAWL_TRY(members.End());
  PAWL_ASSIGN(const PublicKey key, PublicKeyOfCsr(csr));
  const Digest spki = crypto::SpkiDigestOf(key);
  PAWL_ASSIGN(const data::Enrolment enrolment, Begin(api, id, token, spki));
  if (enrolment.kind == data::Enrolment::Kind::kConflict) return ClaimConflict(id);
  if (enrolment.kind == data::Enrolment::Kind::kCertificate) return CertificateResponse(api, enrolment.certificate);
  PAWL_ASSIGN(const Issued issued, Issue(api, id, key));
  PAWL_TRY(api.database.Write(
      [&](sql::Tx& tx) { return data::FinishEnrolment(tx, id, spki, issued.pem, issued.expires_ms); }));
  return CertificateResponse(api, issued.pem);
}

// The pinned certificate may have expired, on this path alone.
Result<Response> Renew(Api& api, Request& request) {
  PAWL_ASSIGN(const PeerCertificate peer, CertificateOf(request));
  if (auto refused = RefuseType(request, "application/json")) return std::move(*refused);
  PAWL_ASSIGN(const json::object body, ParseJsonObject(request.body));
  Members members(body);
  PAWL_ASSIGN(const std::string csr, members.Text("csr", IsCsr, "a PKCS #10 request in PEM of at most 3500 bytes"));
  PAWL_TRY(members.End());
  PAWL_ASSIGN(const PublicKey key, PublicKeyOfCsr(csr));
  const Digest renewed = crypto::SpkiDigestOf(key);
  const std::string& id = peer.common_name;
  PAWL_ASSIGN(const data::Enrolment enrolment,
              api.database.Write([&](sql::Tx& tx) { return data::BeginRenewal(tx, id, peer.spki, renewed); }));
  if (enrolment.kind == data::Enrolment::Kind::kCertificate) return CertificateResponse(api, enrolment.certificate);
  PAWL_ASSIGN(const Issued issued, Issue(api, id, key));
  PAWL_TRY(api.database.Write(
      [&](sql::Tx& tx) { return data::FinishRenewal(tx, id, renewed, issued.pem, issued.expires_ms); }));
  return CertificateResponse(api, issued.pem);
}

// --- Self-test and downloads ---

Result<Response> EchoNonce(Api&, Request& request) {
  const auto nonce = request.query_value("nonce");
  Nonce bytes{};
  if (!nonce || !HexDecode(*nonce, bytes))
    return Fail(Reason::kInvalidArgument, "nonce is missing or not 32 hex digits");
  return JsonResponse({{"nonce", json::string_view(nonce->data(), nonce->size())}, {"time", NowS()}});
}

struct FileName {
  Digest digest{};
  store::Part part = store::Part::kContent;
};
Result<FileName> ParseFileName(std::string_view text) {
  constexpr std::string_view kLeaves = ".leaves";
  FileName name;
  if (text.ends_with(kLeaves)) {
    name.part = store::Part::kLeaves;
    text.remove_suffix(kLeaves.size());
  }
  const auto digest = ParseDigest(text);
  if (!digest)
    return Fail(Reason::kInvalidArgument, "the path names no SHA-256 (64 lower-case hex digits, optionally .leaves)");
  name.digest = *digest;
  return name;
}

Result<Response> Download(Api& api, Request& request) {
  const std::string name(request.parameter("file"));
  PAWL_ASSIGN(const FileName file_name, ParseFileName(name));
  PAWL_ASSIGN(auto opened, api.store.Open(file_name.digest, file_name.part));
  const auto file = std::make_shared<const store::OpenFile>(std::move(opened));
  if (request.method == "HEAD")
    std::erase_if(request.headers, [](const auto& field) { return field.first == "range"; });
  Response response =
      FileResponse(request, {file, file->fd(), 0, file->bytes()}, "\"" + name + "\"", "application/octet-stream");
  if (response.status != 416) return response;
  const Error error = ErrorOf(Reason::kInvalidArgument,
                              "the range begins after the end of the file, at " + std::to_string(file->bytes()));
  Response refused = ErrorResponse(416, error, "Ask for a range within the file.");
  for (auto& [field, value] : response.headers) {
    if (field == "Content-Range") refused.set(field, value);
  }
  return refused;
}

}  // namespace

void AddDeviceRoutes(Router& router, Api& api) {
  const auto add = [&](std::string method, std::string path, DeviceHandler handler) {
    router.Add(
        {std::move(method), std::move(path), Answering(api, std::move(handler)), BodyKind::kBuffered, kMaxEnrolBytes});
  };
  add("POST", "/enrol/v1", Enrol);
  add("POST", "/device/v1/renew", Renew);
  add("GET", "/device/v1/nonce", ForDevices(EchoNonce));
  add("GET", "/artifacts/v1/{file}", ForDevices(Download));
  add("HEAD", "/artifacts/v1/{file}", ForDevices(Download));
}

}  // namespace pawl::http
