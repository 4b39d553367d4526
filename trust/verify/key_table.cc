#include "trust/verify/key_table.h"

#include <cstring>

#include "trust/crypto/crypto.h"
#include "trust/manifest/manifest.h"
#include "trust/manifest/template.h"

namespace pawl {
namespace {

using namespace templates;  // NOLINT(google-build-using-namespace): so that the tables read like the specification
using cbor::Major;

// anchors = {1: version, 2: [keys], 3: {1: threshold, 2: threshold, 4: threshold, 8: threshold}, 4: [revoked kids],
//            ? 5: expires}
constexpr auto kVersion = Template(1, Uint53(At(offsetof(KeyTable, version))), 2);
constexpr auto kKey = Template(                          // [
    0x84, 0x48, Raw(At(offsetof(Key, kid)), 8),          // kid,
    Small(At(offsetof(Key, algorithm)), 0x28, 0x28),     // -9,
    0x58, 0x41, Raw(At(offsetof(Key, public_key)), 65),  // public key,
    Small(At(offsetof(Key, roles)), 0, 15));             // roles]
constexpr auto kThresholds = Template(3, 0xa4);
constexpr auto kRevoked = Template(0x48, Raw(At(0), 8));
constexpr auto kExpires = Template(5, Uint53(At(0)));
constexpr unsigned kRevokedKey = 4;

constexpr std::size_t kRoles = 4;
constexpr std::size_t kMinRootKeys = 3;

// What the threshold of root, image, director, tls-root may be, besides 1 to the number of its keys.
struct ThresholdRule {
  std::uint8_t least;
  std::uint8_t most;
};
constexpr std::array<ThresholdRule, kRoles> kThresholdRules = {{{2, 255}, {0, kMaxSignatures}, {1, 1}, {1, 1}}};
constexpr std::array<const char*, kRoles> kOtherThreshold = {
    "a threshold of root below 2", "a threshold of image above 4", "a threshold of director that is not 1",
    "a threshold of tls-root that is not 1"};

bool IsRevoked(const KeyTable& table, const KeyId& kid) {
  return IndexOf(kid, table.revoked.data(), table.revoked.size(), sizeof(KeyId)) < table.revoked.size();
}

void RequireGood(Reader& reader, const Key& key) {
  reader.Require(key.roles != 0, "a key without a role");
  reader.Require(key.public_key[0] == 4, "a key that is not an uncompressed point");
  reader.Require(key.kid == crypto::KeyIdOf(key.public_key), "a kid that is not its key's");
}

// An array of keys or of revoked kids, `stride` bytes from each other: each begins with a kid, which stands once.
// Returns how many were read. Precondition: there is room for kMaxKeys.
std::size_t ReadList(Reader& reader, const std::uint8_t* part, void* first, std::size_t stride, const char* too_many,
                     const char* twice) {
  static_assert(kMaxRevoked == kMaxKeys);
  const std::size_t count = reader.Count(Major::kArray, 0, kMaxKeys, too_many);
  auto* at = static_cast<std::uint8_t*>(first);
  for (std::size_t i = 0; i < count; ++i, at += stride) {
    void* element = at;
    reader.Read(part, element);
    if (stride == sizeof(Key)) RequireGood(reader, *static_cast<const Key*>(element));
    reader.Require(IndexOf(*static_cast<const KeyId*>(element), first, i, stride) == i, twice);
  }
  return count;
}

void ReadKeys(Reader& reader, KeyTable& table) {
  table.keys.resize(
      ReadList(reader, kKey.data(), table.keys.begin(), sizeof(Key), "more than 16 keys", "a key that stands twice"));
}

void ReadRevoked(Reader& reader, KeyTable& table) {
  table.revoked.resize(ReadList(reader, kRevoked.data(), table.revoked.begin(), sizeof(KeyId),
                                "more than 16 revoked keys", "a revoked kid that stands twice"));
}

void ReadThresholds(Reader& reader, std::array<std::uint8_t, kRoles>& thresholds) {
  reader.Read(kThresholds, thresholds);
  for (std::size_t role = 0; role < kRoles; ++role) {
    reader.Expect(1U << role);
    const std::uint8_t threshold = thresholds[role] = reader.Byte();
    const ThresholdRule& rule = kThresholdRules[role];
    reader.Require(threshold >= rule.least && threshold <= rule.most, kOtherThreshold[role]);
  }
}

// Revoked keys do not count.
void RequireEnoughKeys(Reader& reader, const KeyTable& table) {
  std::array<std::uint8_t, kRoles> keys{};
  for (const Key& key : table.keys) {
    if (IsRevoked(table, key.kid)) continue;
    for (std::size_t role = 0; role < kRoles; ++role) {
      keys[role] = static_cast<std::uint8_t>(keys[role] + ((key.roles >> role) & 1));
    }
  }
  reader.Require(keys[0] >= kMinRootKeys, "fewer than 3 root keys");
  for (std::size_t role = 0; role < kRoles; ++role) {
    const unsigned threshold = table.thresholds[role];
    reader.Require(threshold - 1 < keys[role], "fewer keys of a role than its threshold");  // and not 0
  }
}

}  // namespace

std::size_t IndexOf(const KeyId& kid, const void* first, std::size_t count, std::size_t stride) {
  const auto word = [](const std::uint8_t* at) {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof(KeyId));
    return value;
  };
  const std::uint64_t wanted = word(kid.data());
  const auto* at = static_cast<const std::uint8_t*>(first);
  std::size_t i = 0;
  for (; i < count && word(at) != wanted; ++i) at += stride;
  return i;
}

Result<KeyTable> DecodeAnchors(ByteView anchors) {
  Result<KeyTable> decoded;
  KeyTable& table = *decoded;
  Reader reader(anchors, kMaxAnchorsBytes, Wordy("over 4096 bytes"));
  const std::size_t members = reader.Count(Major::kMap, 4, 5, "not 4 or 5 members");
  reader.Read(kVersion, table);
  reader.Require(table.version >= 1, "a version of 0");
  ReadKeys(reader, table);
  ReadThresholds(reader, table.thresholds);
  reader.Expect(kRevokedKey);
  ReadRevoked(reader, table);
  if (members == 5) reader.Read(kExpires, table.expires.emplace());
  RequireEnoughKeys(reader, table);
  reader.Finish(decoded, Reason::kMalformed, "anchors");
  return decoded;
}

Result<std::size_t> EncodeAnchors(const KeyTable& table, MutableBytes to) {
  Writer writer(to);
  writer.Head(Major::kMap, table.expires ? 5 : 4);
  writer.Write(kVersion, table);
  writer.Head(Major::kArray, table.keys.size());
  for (const Key& key : table.keys) writer.Write(kKey, key);
  writer.Write(kThresholds, table);
  for (std::size_t role = 0; role < kRoles; ++role) {
    writer.Head(Major::kUint, 1U << role);
    writer.Head(Major::kUint, table.thresholds[role]);
  }
  writer.Head(Major::kUint, kRevokedKey);
  writer.Head(Major::kArray, table.revoked.size());
  for (const KeyId& kid : table.revoked) writer.Write(kRevoked, kid);
  if (table.expires) writer.Write(kExpires, table.expires);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<KeyTable> check = DecodeAnchors(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

const Key* FindKid(const KeyTable& table, const KeyId& kid) {
  const std::size_t index = IndexOf(kid, table.keys.data(), table.keys.size(), sizeof(Key));
  return index == table.keys.size() || IsRevoked(table, kid) ? nullptr : table.keys.data() + index;
}

Result<const Key*> FindKey(const KeyTable& table, const KeyId& kid, Role role) {
  const Key* key = FindKid(table, kid);
  if (key == nullptr) return Fail(Reason::kUnknownKey);
  if (!key->has(role)) return Fail(Reason::kWrongKeyRole);
  return key;
}

bool IsTlsRoot(const KeyTable& table, const PublicKey& key) {
  return std::ranges::any_of(table.keys, [&](const Key& entry) {
    return entry.public_key == key && entry.has(Role::kTlsRoot) && !IsRevoked(table, entry.kid);
  });
}

}  // namespace pawl
