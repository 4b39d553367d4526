#include "trust/sign/anchors_file.h"

#include "base/hosted/files.h"
#include "base/text.h"
#include "trust/crypto/crypto.h"
#include "trust/sign/pem.h"
#include "trust/verify/key_table.h"

namespace pawl::sign {
namespace {

struct OfflineKey {
  const char* name;
  Role role;
};
constexpr OfflineKey kOfflineKeys[] = {{"root-1", Role::kRoot},
                                       {"root-2", Role::kRoot},
                                       {"root-3", Role::kRoot},
                                       {"image-2", Role::kImage},
                                       {"director-2", Role::kDirector}};

constexpr std::string_view kReadme =
    R"(These private keys must not stay on this machine. Move them to offline storage, each to another place:

  root-1.pem root-2.pem root-3.pem   two of them together authorise new keys for your devices
  image-2.pem                        signs firmware if the HSM's image key is lost
  director-2.pem                     signs permits if the HSM's director key is lost

Their public halves stand in anchors.cbor, in the ROM of every device. Whoever holds two root keys, or an image and a
director key, can take over the fleet. Whoever loses all of them can never replace the HSM's keys.
pawl does not read this folder again: delete it here when the copies are safe.
)";

std::string MarkerFile(const AnchorsPlaces& places) { return places.state + "/anchors.sha256"; }

std::string HexDigest(ByteView bytes) {
  std::array<char, 64> hex{};
  return std::string(HexEncode(crypto::Hash(bytes), hex));
}

Key MakeKey(const PublicKey& public_key, Role role) {
  Key key;
  key.kid = crypto::KeyIdOf(public_key);
  key.public_key = public_key;
  key.roles = static_cast<std::uint8_t>(role);
  return key;
}

Result<PublicKey> EnsureOfflineKey(const std::string& path) {
  if (!FileExists(path)) PAWL_TRY(WriteFileDurably(path, NewPrivateKeyPem(), 0600));
  PAWL_ASSIGN(const std::string pem, ReadFile(path));
  return PublicKeyOfPem(pem);
}

Result<std::vector<std::uint8_t>> MakeAnchors(const AnchorsPlaces& places, const PerUse<PublicKey>& hsm_keys) {
  KeyTable table;
  table.thresholds = {2, 1, 1, 1};
  PAWL_TRY(MakePrivateFolder(places.offline_keys));
  PAWL_TRY(WriteFileDurably(places.offline_keys + "/README.txt", kReadme, 0600));
  for (const OfflineKey& offline : kOfflineKeys) {
    PAWL_ASSIGN(const PublicKey key, EnsureOfflineKey(places.offline_keys + "/" + offline.name + ".pem"));
    table.keys.push_back(MakeKey(key, offline.role));
  }
  table.keys.push_back(MakeKey(hsm_keys.of(KeyUse::kImage), Role::kImage));
  table.keys.push_back(MakeKey(hsm_keys.of(KeyUse::kDirector), Role::kDirector));
  table.keys.push_back(MakeKey(hsm_keys.of(KeyUse::kServerCa), Role::kTlsRoot));
  std::vector<std::uint8_t> encoded(kMaxAnchorsBytes);
  PAWL_ASSIGN(const std::size_t size, EncodeAnchors(table, encoded));
  encoded.resize(size);
  return encoded;
}

Status RequireFit(const KeyTable& table, const std::string& path, const PerUse<PublicKey>& hsm_keys) {
  const auto require = [&](KeyUse use, bool fits) -> Status {
    if (fits) return {};
    const std::string name = kKeyUseNames[static_cast<std::size_t>(use)];
    return Fail(Reason::kConflict, path + " does not list the HSM's " + name +
                                       " key: devices would refuse what it signs. " +
                                       "Bring back the HSM token or the file that belongs to the other");
  };
  const auto listed = [&](KeyUse use, Role role) {
    return FindKey(table, crypto::KeyIdOf(hsm_keys.of(use)), role).has_value();
  };
  PAWL_TRY(require(KeyUse::kImage, listed(KeyUse::kImage, Role::kImage)));
  PAWL_TRY(require(KeyUse::kDirector, listed(KeyUse::kDirector, Role::kDirector)));
  return require(KeyUse::kServerCa, IsTlsRoot(table, hsm_keys.of(KeyUse::kServerCa)));
}

// The anchors must be the ones of the first start; on that start, remembers them.
Status RequireUnchanged(const AnchorsPlaces& places, ByteView anchors) {
  const std::string digest = HexDigest(anchors) + "\n";
  const auto made = ReadFile(MarkerFile(places));
  if (!made && made.error().reason == Reason::kNotFound) return WriteFileDurably(MarkerFile(places), digest, 0600);
  PAWL_TRY(made);
  if (*made == digest) return {};
  return Fail(Reason::kConflict, places.anchors +
                                     " is not the file of the first start. Bring that one back; or, if you " +
                                     "changed it on purpose, delete " + MarkerFile(places));
}

}  // namespace

bool AnchorsWereMade(const AnchorsPlaces& places) { return FileExists(MarkerFile(places)); }

Result<std::vector<std::uint8_t>> EnsureAnchors(const AnchorsPlaces& places, const PerUse<PublicKey>& hsm_keys) {
  if (!FileExists(places.anchors)) {
    if (AnchorsWereMade(places)) {
      return Fail(Reason::kNotFound, places.anchors + " is gone. Bring it back from a backup: devices trust its keys");
    }
    PAWL_ASSIGN(const std::vector<std::uint8_t> made, MakeAnchors(places, hsm_keys));
    PAWL_TRY(WriteFileDurably(places.anchors, AsText(made), 0644));
  }
  PAWL_ASSIGN(const std::string content, ReadFile(places.anchors, kMaxAnchorsBytes));
  const auto table = DecodeAnchors(AsBytes(content));
  if (!table)
    return Fail(table.error().reason,
                BoundedText<240>(std::string_view(places.anchors)).append(": ").append(table.error().detail));
  PAWL_TRY(RequireFit(*table, places.anchors, hsm_keys));
  PAWL_TRY(RequireUnchanged(places, AsBytes(content)));
  return std::vector<std::uint8_t>(content.begin(), content.end());
}

}  // namespace pawl::sign
