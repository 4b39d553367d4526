#include "trust/verify/key_table.h"

#include <bit>

#include "trust/crypto/crypto.h"
#include "trust/manifest/cbor.h"
#include "trust/manifest/manifest.h"

namespace pawl {
namespace {

constexpr std::int32_t kEsp256 = -9;
constexpr std::array<Role, 4> kRoles = {Role::kRoot, Role::kImage, Role::kDirector, Role::kTlsRoot};
constexpr std::uint8_t kAllRoles = 15;
constexpr std::size_t kMinRootKeys = 3;
constexpr std::uint8_t kMinRootThreshold = 2;

bool IsRevoked(const KeyTable& table, const KeyId& kid) { return std::ranges::count(table.revoked, kid) != 0; }

const Key* FindKid(const KeyTable& table, const KeyId& kid) {
  const Key* found = std::ranges::find(table.keys, kid, &Key::kid);
  return found == table.keys.end() ? nullptr : found;
}

std::size_t CountKeys(const KeyTable& table, Role role) {
  const auto usable = [&](const Key& key) { return key.has(role) && !IsRevoked(table, key.kid); };
  return static_cast<std::size_t>(std::ranges::count_if(table.keys, usable));
}

// [kid, alg, public key, roles]
void ReadKey(cbor::Reader& reader, KeyTable& table) {
  Key key;
  reader.Array(4);
  reader.Fixed(key.kid);
  reader.Expect(kEsp256);
  key.algorithm = kEsp256;
  reader.Fixed(key.public_key);
  key.roles = static_cast<std::uint8_t>(reader.Uint(kAllRoles));
  if (!reader.ok()) return;
  reader.Require(key.roles != 0, "a key without a role");
  reader.Require(key.public_key[0] == 4, "a key that is not an uncompressed point");
  reader.Require(key.kid == crypto::KeyIdOf(key.public_key), "a kid that is not its key's");
  reader.Require(FindKid(table, key.kid) == nullptr, "a key that stands twice");
  table.keys.push_back(key);
}

void ReadRevoked(cbor::Reader& reader, KeyTable& table) {
  KeyId kid{};
  reader.Fixed(kid);
  if (!reader.ok()) return;
  reader.Require(!IsRevoked(table, kid), "a revoked kid that stands twice");
  table.revoked.push_back(kid);
}

void RequireEnoughKeys(cbor::Reader& reader, const KeyTable& table) {
  reader.Require(CountKeys(table, Role::kRoot) >= kMinRootKeys, "fewer than 3 root keys");
  reader.Require(Threshold(table, Role::kRoot) >= kMinRootThreshold, "a threshold of root below 2");
  reader.Require(Threshold(table, Role::kImage) <= kMaxSignatures, "a threshold of image above 4");
  reader.Require(Threshold(table, Role::kDirector) == 1, "a threshold of director that is not 1");
  reader.Require(Threshold(table, Role::kTlsRoot) == 1, "a threshold of tls-root that is not 1");
  for (const Role role : kRoles) {
    const std::uint8_t threshold = Threshold(table, role);
    reader.Require(threshold >= 1 && threshold <= CountKeys(table, role), "fewer keys of a role than its threshold");
  }
}

}  // namespace

std::uint8_t Threshold(const KeyTable& table, Role role) {
  return table.thresholds[static_cast<std::size_t>(std::countr_zero(static_cast<std::uint8_t>(role)))];
}

Result<KeyTable> DecodeAnchors(ByteView anchors) {
  if (anchors.size() > kMaxAnchorsBytes) return Fail(Reason::kMalformed, "anchors: over 4096 bytes");
  KeyTable table;
  cbor::Reader reader(anchors);
  const std::uint64_t members = reader.Map();
  reader.Require(members == 4 || members == 5, "not 4 or 5 members");
  reader.Expect(1);
  table.version = reader.Uint(cbor::kMaxUint53);
  reader.Require(table.version >= 1, "a version of 0");
  reader.Expect(2);
  const std::uint64_t keys = reader.Array();
  reader.Require(keys <= kMaxKeys, "more than 16 keys");
  for (std::uint64_t i = 0; i < keys && reader.ok(); ++i) ReadKey(reader, table);
  reader.Expect(3);
  reader.Map(kRoles.size());
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    reader.Expect(static_cast<std::int64_t>(kRoles[i]));
    table.thresholds[i] = static_cast<std::uint8_t>(reader.Uint(kMaxKeys));
  }
  reader.Expect(4);
  const std::uint64_t revoked = reader.Array();
  reader.Require(revoked <= kMaxRevoked, "more than 16 revoked keys");
  for (std::uint64_t i = 0; i < revoked && reader.ok(); ++i) ReadRevoked(reader, table);
  if (members == 5) {
    reader.Expect(5);
    table.expires = reader.Uint(cbor::kMaxUint53);
  }
  RequireEnoughKeys(reader, table);
  PAWL_TRY(reader.Finish(Reason::kMalformed, "anchors"));
  return table;
}

Result<std::size_t> EncodeAnchors(const KeyTable& table, MutableBytes to) {
  cbor::Writer writer(to);
  writer.Map(table.expires ? 5 : 4);
  writer.Int(1);
  writer.Uint(table.version);
  writer.Int(2);
  writer.Array(table.keys.size());
  for (const Key& key : table.keys) {
    writer.Array(4);
    writer.Bytes(key.kid);
    writer.Int(key.algorithm);
    writer.Bytes(key.public_key);
    writer.Uint(key.roles);
  }
  writer.Int(3);
  writer.Map(kRoles.size());
  for (const Role role : kRoles) {
    writer.Int(static_cast<std::int64_t>(role));
    writer.Uint(Threshold(table, role));
  }
  writer.Int(4);
  writer.Array(table.revoked.size());
  for (const KeyId& kid : table.revoked) writer.Bytes(kid);
  if (table.expires) {
    writer.Int(5);
    writer.Uint(*table.expires);
  }
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<KeyTable> check = DecodeAnchors(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

Result<Key> FindKey(const KeyTable& table, const KeyId& kid, Role role) {
  const Key* key = FindKid(table, kid);
  if (key == nullptr || IsRevoked(table, kid)) return Fail(Reason::kUnknownKey);
  if (!key->has(role)) return Fail(Reason::kWrongKeyRole);
  return *key;
}

bool IsTlsRoot(const KeyTable& table, const PublicKey& key) {
  return std::ranges::any_of(table.keys, [&](const Key& entry) {
    return entry.public_key == key && entry.has(Role::kTlsRoot) && !IsRevoked(table, entry.kid);
  });
}

}  // namespace pawl
