#include "trust/manifest/template.h"
#include "trust/verify/key_table.h"

namespace pawl {
namespace {

using namespace templates;  // NOLINT(google-build-using-namespace): so that the table reads like the specification

#define AT(member) At(offsetof(RomIdentity, member))
constexpr auto kIdentity = Template(           //
    0xa4, 1, 0x50, Raw(AT(vendor), 16),        // {1: vendor UUID,
    2, 0x50, Raw(AT(cls), 16),                 // 2: class UUID,
    3, Uint32Wide(AT(board_revision)),         // 3: board revision,
    4, Uint32Wide(AT(min_security_version)));  // 4: minimum security version}
#undef AT

}  // namespace

Result<RomIdentity> DecodeRomIdentity(ByteView bytes) {
  Result<RomIdentity> identity;
  Reader reader(bytes);
  reader.Read(kIdentity, *identity);
  reader.Finish(identity, Reason::kMalformed, "ROM identity");
  return identity;
}

Result<std::size_t> EncodeRomIdentity(const RomIdentity& identity, MutableBytes to) {
  Writer writer(to);
  writer.Write(kIdentity, identity);
  PAWL_ASSIGN(const std::size_t size, writer.Finish());
  // One place knows which values are allowed: the decoder.
  const Result<RomIdentity> check = DecodeRomIdentity(to.first(size));
  if (!check) return Fail(Reason::kInvalidArgument, check.error().detail);
  return size;
}

}  // namespace pawl
