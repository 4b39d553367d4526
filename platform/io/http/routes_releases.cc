// Classes, artifacts, releases.
#include <ctime>

#include "platform/io/http/members.h"
#include "platform/io/http/operation.h"
#include "platform/io/http/rules.h"
#include "platform/io/http/shapes.h"

namespace pawl::http {
namespace {

constexpr std::uint64_t kMax32 = 0xFFFFFFFF;
constexpr std::uint64_t kMaxSeconds = 86400;
constexpr std::size_t kUploadPieceBytes = 65536;

bool IsDigestText(std::string_view text) { return ParseDigest(text).has_value(); }
bool IsVersionText(std::string_view text) { return ParseVersion(text).has_value(); }
bool IsTimeText(std::string_view text) { return ParseTimeToSeconds(text).has_value(); }

Result<Digest> DigestParameter(const Request& request) {
  const auto digest = ParseDigest(request.parameter("digest"));
  if (!digest) return Fail(Reason::kInvalidArgument, "the path names no SHA-256 (64 lower-case hex digits)");
  return *digest;
}

// --- Classes ---

Result<data::ClassSpec> ParseClass(const Call& call) {
  Members members(call.body);
  data::ClassSpec spec;
  PAWL_ASSIGN(spec.name, members.Text("name", IsLabel, "[a-z0-9][a-z0-9._-]{0,62}"));
  PAWL_ASSIGN(spec.vendor, members.Text("vendor", IsDomain, "a domain such as vendor.example"));
  PAWL_ASSIGN(spec.slot_bytes, members.Number("slot_bytes", 65536, std::uint64_t{1} << 40));
  PAWL_ASSIGN(const auto watchdog, members.Number("watchdog_s", 1, 3600));
  PAWL_ASSIGN(const auto budget, members.Number("max_trial_budget_s", 1, kMaxSeconds));
  PAWL_ASSIGN(const auto patience, members.NumberOr("patience_s", 1, kMaxSeconds, 900));
  PAWL_ASSIGN(spec.min_board_revision, members.NumberOr("min_board_revision", 0, kMax32, 0));
  PAWL_ASSIGN(spec.max_board_revision, members.NumberOr("max_board_revision", 0, kMax32, kMax32));
  PAWL_TRY(members.End());
  spec.watchdog_s = static_cast<std::uint32_t>(watchdog);
  spec.max_trial_budget_s = static_cast<std::uint32_t>(budget);
  spec.patience_s = static_cast<std::uint32_t>(patience);
  return spec;
}

Result<Response> CreateClass(Call& call) {
  PAWL_ASSIGN(const data::ClassSpec spec, ParseClass(call));
  const Anchors& anchors = call.api.anchors;
  PAWL_ASSIGN(const data::Class cls, call.api.database.Write([&](sql::Tx& tx) {
    return data::CreateClass(tx, call.actor, spec, anchors.cbor, anchors.image_keys);
  }));
  return JsonResponse(Shape(cls), 201);
}

Result<Response> ListClasses(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto classes, call.api.database.Read([&](sql::Tx& tx) { return data::ListClasses(tx, page); }));
  return JsonResponse(Shape(classes));
}

Result<data::Class> FindClass(Call& call) {
  return call.api.database.Read([&](sql::Tx& tx) { return data::GetClass(tx, call.request.parameter("class")); });
}

Result<Response> GetClass(Call& call) {
  PAWL_ASSIGN(const data::Class cls, FindClass(call));
  return JsonResponse(Shape(cls));
}

Response Blob(const std::vector<std::uint8_t>& bytes, std::string type) {
  Response response;
  response.set("Content-Type", std::move(type)).set("Cache-Control", "no-store");
  response.body = AsText(bytes);
  return response;
}

Result<Response> GetAnchors(Call& call) {
  PAWL_ASSIGN(const data::Class cls, FindClass(call));
  return Blob(cls.anchors, "application/cbor");
}

// --- Artifacts ---

Result<std::optional<Digest>> ExpectedDigest(const Request& request) {
  constexpr std::string_view kPrefix = "sha-256=";
  const std::string_view header = request.header("digest");
  if (header.empty()) return std::optional<Digest>();
  const auto digest = header.starts_with(kPrefix) ? ParseDigest(header.substr(kPrefix.size())) : std::nullopt;
  if (!digest)
    return Fail(Reason::kInvalidArgument, "the header Digest is not \"sha-256=\" and 64 lower-case hex digits");
  return digest;
}

Result<std::unique_ptr<store::Writer>> Receive(Call& call) {
  PAWL_ASSIGN(auto writer, call.api.store.Begin());
  std::vector<std::uint8_t> piece(kUploadPieceBytes);
  for (;;) {
    PAWL_ASSIGN(const std::size_t n, call.request.reader->Read(piece));
    if (n == 0) return writer;
    PAWL_TRY(writer->Append(ByteView(piece.data(), n)));
  }
}

Result<Response> Upload(Call& call) {
  const auto name = call.request.query_value("name");
  if (!name || !IsFileName(*name)) {
    return Fail(Reason::kInvalidArgument,
                "the query parameter name is missing or not of 1 to 100 characters without '/'");
  }
  PAWL_ASSIGN(const auto expected, ExpectedDigest(call.request));
  PAWL_ASSIGN(const auto writer, Receive(call));
  const std::scoped_lock lock(call.api.artifacts_mutex);
  PAWL_ASSIGN(const store::Stored stored, writer->Commit(expected));
  PAWL_ASSIGN(const data::AddedArtifact added, call.api.database.Write([&](sql::Tx& tx) {
    return data::AddArtifact(tx, call.actor, stored.digest, stored.bytes, *name);
  }));
  return JsonResponse(Shape(added.artifact), added.created ? 201 : 200);
}

Result<Response> ListArtifacts(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const auto artifacts, call.api.database.Read([&](sql::Tx& tx) { return data::ListArtifacts(tx, page); }));
  return JsonResponse(Shape(artifacts));
}

Result<data::Artifact> FindArtifact(Call& call) {
  PAWL_ASSIGN(const Digest digest, DigestParameter(call.request));
  return call.api.database.Read([&](sql::Tx& tx) { return data::GetArtifact(tx, digest); });
}

Result<Response> GetArtifact(Call& call) {
  PAWL_ASSIGN(const data::Artifact artifact, FindArtifact(call));
  return JsonResponse(Shape(artifact));
}

Result<Response> GetContent(Call& call) {
  PAWL_ASSIGN(const data::Artifact artifact, FindArtifact(call));
  PAWL_ASSIGN(auto opened, call.api.store.Open(artifact.digest, store::Part::kContent));
  const auto file = std::make_shared<const store::OpenFile>(std::move(opened));
  Response response;
  response.set("Content-Type", "application/octet-stream").set("Cache-Control", "private, no-transform");
  response.file = FileBody{file, file->fd(), 0, file->bytes()};
  return response;
}

Result<Response> DeleteArtifact(Call& call) {
  PAWL_ASSIGN(const Digest digest, DigestParameter(call.request));
  const std::scoped_lock lock(call.api.artifacts_mutex);
  PAWL_TRY(call.api.database.Write([&](sql::Tx& tx) { return data::RemoveArtifact(tx, call.actor, digest); }));
  PAWL_TRY(call.api.store.Remove(digest));
  Response response;
  response.status = 204;
  return response;
}

// --- Releases ---

Result<data::ReleaseSpec> ParseRelease(const Call& call) {
  Members members(call.body);
  data::ReleaseSpec spec;
  PAWL_ASSIGN(spec.class_name, members.Text("class", IsLabel, "a class's name"));
  PAWL_ASSIGN(const std::string artifact,
              members.Text("artifact", IsDigestText, "a SHA-256 in 64 lower-case hex digits"));
  PAWL_ASSIGN(spec.version, members.Text("version", IsVersionText,
                                         "major.minor.patch, optionally -alpha, -beta or -rc with .number"));
  PAWL_ASSIGN(spec.security_version, members.NumberOr("security_version", 0, kMax32, 0));
  PAWL_ASSIGN(spec.min_board_revision, members.NumberOr("min_board_revision", 0, kMax32, 0));
  PAWL_ASSIGN(const auto budget, members.MaybeNumber("trial_budget_s", 1, kMaxSeconds));
  PAWL_ASSIGN(const std::string use_before,
              members.TextOr("use_before", IsTimeText, "a time such as 2030-01-31T00:00:00Z", ""));
  PAWL_TRY(members.End());
  spec.artifact = ParseDigest(artifact).value_or(Digest{});
  if (budget) spec.trial_budget_s = static_cast<std::uint32_t>(*budget);
  if (!use_before.empty()) spec.use_before_s = ParseTimeToSeconds(use_before);
  if (spec.use_before_s && *spec.use_before_s <= static_cast<std::uint64_t>(std::time(nullptr))) {
    return Fail(Reason::kInvalidArgument, "use_before is " + use_before + ": that is in the past");
  }
  return spec;
}

Result<Response> CreateRelease(Call& call) {
  PAWL_ASSIGN(const data::ReleaseSpec spec, ParseRelease(call));
  PAWL_ASSIGN(const data::Release release,
              call.api.database.Write([&](sql::Tx& tx) { return data::CreateRelease(tx, call.actor, spec); }));
  return JsonResponse(Shape(release), 202);
}

Result<Response> ListReleases(Call& call) {
  PAWL_ASSIGN(const auto page, PageOf(call.request));
  PAWL_ASSIGN(const std::string cls, QueryText(call.request, "class", IsLabel));
  PAWL_ASSIGN(const auto releases,
              call.api.database.Read([&](sql::Tx& tx) { return data::ListReleases(tx, cls, page); }));
  return JsonResponse(Shape(releases));
}

Result<Response> GetRelease(Call& call) {
  PAWL_ASSIGN(const data::Release release, call.api.database.Read([&](sql::Tx& tx) {
    return data::GetRelease(tx, call.request.parameter("release"));
  }));
  return JsonResponse(Shape(release));
}

Result<Response> GetEnvelope(Call& call) {
  PAWL_ASSIGN(const auto envelope, call.api.database.Read([&](sql::Tx& tx) {
    return data::GetEnvelope(tx, call.request.parameter("release"));
  }));
  return Blob(envelope, "application/suit-envelope+cose");
}

}  // namespace

void AddReleaseOperations(Router& router, Api& api) {
  using data::Scope;
  const std::vector<std::string> page = {"limit", "after"};
  AddOperation(router, api, {"POST", "/classes", Scope::kAdmin, {}, Takes::kJson, CreateClass});
  AddOperation(router, api, {"GET", "/classes", Scope::kRead, page, Takes::kNothing, ListClasses});
  AddOperation(router, api, {"GET", "/classes/{class}", Scope::kRead, {}, Takes::kNothing, GetClass});
  AddOperation(router, api, {"GET", "/classes/{class}/anchors", Scope::kRead, {}, Takes::kNothing, GetAnchors});
  AddOperation(router, api, {"POST", "/artifacts", Scope::kReleases, {"name"}, Takes::kFile, Upload});
  AddOperation(router, api, {"GET", "/artifacts", Scope::kRead, page, Takes::kNothing, ListArtifacts});
  AddOperation(router, api, {"GET", "/artifacts/{digest}", Scope::kRead, {}, Takes::kNothing, GetArtifact});
  AddOperation(router, api, {"DELETE", "/artifacts/{digest}", Scope::kReleases, {}, Takes::kNothing, DeleteArtifact});
  AddOperation(router, api, {"GET", "/artifacts/{digest}/content", Scope::kRead, {}, Takes::kNothing, GetContent});
  AddOperation(router, api, {"POST", "/releases", Scope::kReleases, {}, Takes::kJson, CreateRelease});
  AddOperation(router, api,
               {"GET", "/releases", Scope::kRead, {"class", "limit", "after"}, Takes::kNothing, ListReleases});
  AddOperation(router, api, {"GET", "/releases/{release}", Scope::kRead, {}, Takes::kNothing, GetRelease});
  AddOperation(router, api, {"GET", "/releases/{release}/envelope", Scope::kRead, {}, Takes::kNothing, GetEnvelope});
}

}  // namespace pawl::http
