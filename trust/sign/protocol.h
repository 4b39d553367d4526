// The signer's protocol: typed requests and answers, and their JSON.
//
// Format   docs/spec/signer.md. One request, one answer for each frame (frame.h).
// Strict   an unknown member, a missing one or one of another type is an error.
// Neither direction carries a digest that would be signed as it is: every request states facts.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "trust/sign/client.h"

namespace pawl::sign {

struct StatusRequest {};
struct CaCertificatesRequest {};
struct ManifestRequest {
  ReleaseFacts facts;
  StoredArtifact artifact;
};
struct PermitRequest {
  Permit permit;
};

using Request = std::variant<StatusRequest, CaCertificatesRequest, ManifestRequest, PermitRequest,
                             DeviceCertificateFacts, ServerCertificateFacts>;

struct SignedPermit {
  std::vector<std::uint8_t> cose_sign1;
};
using Answer = std::variant<SignerStatus, CaCertificates, SignedManifest, SignedPermit, Certificate>;

// The "op" of a request, as in the protocol.
std::string_view OperationName(const Request& request);

std::string EncodeRequest(const Request& request);
// Errors: malformed, naming the member.
Result<Request> DecodeRequest(std::string_view json);

std::string EncodeAnswer(const Result<Answer>& answer);
// The answer, or the error that the signer states. Errors: malformed too.
Result<Answer> DecodeAnswer(std::string_view json);

}  // namespace pawl::sign
