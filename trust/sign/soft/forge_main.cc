// pawl-forge: makes manifests, permits and anchors with keys in memory. For tests, attacks and test devices' factory
// only.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/hosted/files.h"
#include "base/text.h"
#include "base/version.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/pem.h"
#include "trust/sign/release.h"
#include "trust/sign/signing.h"
#include "trust/sign/soft/soft_key.h"
#include "trust/verify/key_table.h"

namespace pawl::sign {
namespace {

template <std::size_t N>
Result<std::array<std::uint8_t, N>> FromHex(const std::string& text, std::string_view what) {
  std::array<std::uint8_t, N> bytes{};
  if (!HexDecode(text, bytes)) {
    return Fail(Reason::kInvalidArgument, std::string(what) + " must be " + std::to_string(2 * N) + " hex digits");
  }
  return bytes;
}

std::string ToHex(ByteView bytes) {
  std::string text(2 * bytes.size(), '\0');
  HexEncode(bytes, text);
  return text;
}

// --- The key that signs ---

struct KeyOptions {
  std::string seed;
  std::string pem;
  std::string kid;
};

void AddKeyOptions(CLI::App* command, KeyOptions& options) {
  auto* group = command->add_option_group("key", "the key that signs");
  group->add_option("--key-seed", options.seed, "the private key is SHA-256 of this text");
  group->add_option("--key", options.pem, "file with a P-256 private key in PEM");
  group->require_option(1);
  command->add_option("--kid", options.kid, "claim this key id (16 hex digits) instead of the key's own");
}

Result<SoftKey> KeyOf(const KeyOptions& options) {
  Result<SoftKey> key = options.pem.empty() ? SoftKey(options.seed) : SoftKey::FromPem(options.pem);
  if (!key || options.kid.empty()) return key;
  PAWL_ASSIGN(const KeyId kid, FromHex<8>(options.kid, "--kid"));
  key->ClaimKid(kid);
  return key;
}

// --- manifest ---

struct ManifestOptions {
  KeyOptions key;
  std::string image;
  ReleaseFacts facts;
  std::string version;
  std::string image_digest;
  std::uint64_t image_bytes = 0;
  std::string out;
};

void AddManifest(CLI::App& app, ManifestOptions& options) {
  auto* command = app.add_subcommand("manifest", "a signed envelope");
  AddKeyOptions(command, options.key);
  command->add_option("--image", options.image, "the firmware")->required();
  command->add_option("--vendor", options.facts.vendor, "vendor's domain")->required();
  command->add_option("--class", options.facts.class_name, "class name")->required();
  command->add_option("--sequence", options.facts.sequence, "sequence number")->required();
  command->add_option("--version", options.version, "MAJOR.MINOR.PATCH[-rc.N|-beta.N|-alpha.N]")->required();
  command->add_option("--security-version", options.facts.security_version)->capture_default_str();
  command->add_option("--board-revision", options.facts.min_board_revision, "minimum board revision")
      ->capture_default_str();
  command->add_option("--trial-budget", options.facts.trial_budget_s, "seconds")->required();
  command->add_option("--use-before", options.facts.use_before, "seconds since 1970");
  command->add_option("--slot", options.facts.slot, "only for this slot: 0 A, 1 B");
  command->add_option("--lie-image-digest", options.image_digest, "state this digest (64 hex digits) instead");
  command->add_option("--lie-image-bytes", options.image_bytes, "state this size instead");
  command->add_option("--out", options.out, "where the envelope goes")->required();
}

Status MakeManifest(ManifestOptions& options) {
  PAWL_ASSIGN(SoftKey key, KeyOf(options.key));
  PAWL_ASSIGN(options.facts.version, ParseVersion(options.version));
  PAWL_TRY(CheckFacts(options.facts));
  PAWL_ASSIGN(MeasuredArtifact artifact, MeasureFile(options.image));
  if (!options.image_digest.empty()) {
    PAWL_ASSIGN(artifact.digest, FromHex<32>(options.image_digest, "--lie-image-digest"));
  }
  if (options.image_bytes != 0) artifact.bytes = options.image_bytes;
  PAWL_ASSIGN(const SignedManifest made, SignManifest(ManifestOf(options.facts, artifact), key));
  PAWL_TRY(WriteFileDurably(options.out, AsText(made.envelope), 0644));
  std::printf("%s\n", ToHex(made.manifest_digest).c_str());
  return {};
}

// --- permit ---

struct PermitOptions {
  KeyOptions key;
  std::string device;
  std::uint64_t job = 0;
  std::string manifest_digest;
  std::string nonce;
  std::uint32_t use_within_s = 120;
  std::string out;
};

void AddPermit(CLI::App& app, PermitOptions& options) {
  auto* command = app.add_subcommand("permit", "a signed permit");
  AddKeyOptions(command, options.key);
  command->add_option("--device", options.device)->required();
  command->add_option("--job", options.job)->required();
  command->add_option("--manifest-digest", options.manifest_digest, "64 hex digits")->required();
  command->add_option("--nonce", options.nonce, "32 hex digits")->required();
  command->add_option("--use-within", options.use_within_s, "seconds")->capture_default_str();
  command->add_option("--out", options.out, "where the permit goes")->required();
}

Status MakePermit(const PermitOptions& options) {
  PAWL_ASSIGN(SoftKey key, KeyOf(options.key));
  PAWL_TRY(CheckDeviceId(options.device));
  Permit permit;
  permit.device = std::string_view(options.device);
  permit.job = options.job;
  permit.use_within_s = options.use_within_s;
  PAWL_ASSIGN(permit.manifest_digest, FromHex<32>(options.manifest_digest, "--manifest-digest"));
  PAWL_ASSIGN(permit.nonce, FromHex<16>(options.nonce, "--nonce"));
  PAWL_ASSIGN(const std::vector<std::uint8_t> made, SignPermit(permit, key));
  return WriteFileDurably(options.out, AsText(made), 0644);
}

// --- anchors ---

struct AnchorsOptions {
  std::vector<std::string> keys;
  std::string out;
};

void AddAnchors(CLI::App& app, AnchorsOptions& options) {
  auto* command = app.add_subcommand("anchors", "trust anchors for a test device's ROM: threshold 2 of its root keys");
  command
      ->add_option("--key", options.keys,
                   "ROLE=seed:TEXT, ROLE=pem:FILE or ROLE=public:HEX; "
                   "ROLE is root, image, director or tls-root; at least three root keys")
      ->required();
  command->add_option("--out", options.out, "where the anchors go")->required();
}

Result<PublicKey> PublicOf(const std::string& source) {
  const std::string value = source.substr(source.find(':') + 1);
  if (source.starts_with("seed:")) return SoftKey(value).public_key();
  if (source.starts_with("public:")) return FromHex<65>(value, "a public key");
  if (!source.starts_with("pem:")) return Fail(Reason::kInvalidArgument, "no seed:, pem: or public: in " + source);
  PAWL_ASSIGN(const std::string pem, ReadFile(value));
  return PublicKeyOfPem(pem);
}

Result<Key> AnchorOf(const std::string& text) {
  static const std::map<std::string, Role> kRoles = {
      {"root", Role::kRoot}, {"image", Role::kImage}, {"director", Role::kDirector}, {"tls-root", Role::kTlsRoot}};
  const std::size_t equals = text.find('=');
  const auto role = kRoles.find(text.substr(0, equals));
  if (equals == std::string::npos || role == kRoles.end()) {
    return Fail(Reason::kInvalidArgument, "no ROLE= in " + text);
  }
  Key key;
  PAWL_ASSIGN(key.public_key, PublicOf(text.substr(equals + 1)));
  key.kid = crypto::KeyIdOf(key.public_key);
  key.roles = static_cast<std::uint8_t>(role->second);
  return key;
}

Status MakeAnchors(const AnchorsOptions& options) {
  KeyTable table;
  table.thresholds = {2, 1, 1, 1};
  for (const std::string& text : options.keys) {
    if (table.keys.full()) return Fail(Reason::kTooLarge, "more than " + std::to_string(kMaxKeys) + " keys");
    PAWL_ASSIGN(const Key key, AnchorOf(text));
    table.keys.push_back(key);
  }
  std::vector<std::uint8_t> encoded(kMaxAnchorsBytes);
  PAWL_ASSIGN(const std::size_t size, EncodeAnchors(table, encoded));
  encoded.resize(size);
  return WriteFileDurably(options.out, AsText(encoded), 0644);
}

// --- identity ---

struct IdentityOptions {
  std::string vendor;
  std::string class_name;
  RomIdentity identity;
  std::string out;
};

void AddIdentity(CLI::App& app, IdentityOptions& options) {
  auto* command = app.add_subcommand("identity", "what stands in a test device's ROM beside the anchors");
  command->add_option("--vendor", options.vendor, "vendor's domain")->required();
  command->add_option("--class", options.class_name, "class name")->required();
  command->add_option("--board-revision", options.identity.board_revision)->capture_default_str();
  command->add_option("--min-security-version", options.identity.min_security_version)->capture_default_str();
  command->add_option("--out", options.out, "where the identity goes")->required();
}

Status MakeIdentity(IdentityOptions& options) {
  options.identity.vendor = VendorId(options.vendor);
  options.identity.cls = ClassId(options.identity.vendor, options.class_name);
  std::array<std::uint8_t, 128> encoded{};
  PAWL_ASSIGN(const std::size_t size, EncodeRomIdentity(options.identity, encoded));
  return WriteFileDurably(options.out, AsText(ByteView(encoded).first(size)), 0644);
}

// --- key ---

struct ShowKeyOptions {
  KeyOptions key;
  std::string out;
};

void AddShowKey(CLI::App& app, ShowKeyOptions& options) {
  auto* command = app.add_subcommand("key", "prints a key's id and public half");
  AddKeyOptions(command, options.key);
  command->add_option("--out", options.out, "where the private half goes, as PEM");
}

Status ShowKey(const ShowKeyOptions& options) {
  PAWL_ASSIGN(const SoftKey key, KeyOf(options.key));
  std::printf("kid %s\npublic %s\n", ToHex(key.kid()).c_str(), ToHex(key.public_key()).c_str());
  if (options.out.empty()) return {};
  return WriteFileDurably(options.out, key.PrivatePem(), 0600);
}

int Main(int argc, char** argv) {
  CLI::App app("pawl-forge: manifests, permits and anchors by keys in memory, for tests only", "pawl-forge");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  ManifestOptions manifest;
  PermitOptions permit;
  AnchorsOptions anchors;
  IdentityOptions identity;
  ShowKeyOptions key;
  AddManifest(app, manifest);
  AddPermit(app, permit);
  AddAnchors(app, anchors);
  AddIdentity(app, identity);
  AddShowKey(app, key);
  CLI11_PARSE(app, argc, argv);
  const auto run = [&]() -> Status {
    if (app.got_subcommand("manifest")) return MakeManifest(manifest);
    if (app.got_subcommand("permit")) return MakePermit(permit);
    if (app.got_subcommand("anchors")) return MakeAnchors(anchors);
    if (app.got_subcommand("identity")) return MakeIdentity(identity);
    return ShowKey(key);
  };
  const Status done = run();
  if (done) return 0;
  const std::string detail(done.error().detail.view());
  std::fprintf(stderr, "pawl-forge: %s: %s\n", std::string(Text(done.error().reason)).c_str(), detail.c_str());
  return 1;
}

}  // namespace
}  // namespace pawl::sign

int main(int argc, char** argv) { return pawl::sign::Main(argc, argv); }
