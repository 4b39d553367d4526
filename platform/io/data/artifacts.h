// Rows of stored artifacts. The bytes are the artifact store's (platform/io/store); a row is made after they are
// durable.
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

struct Artifact {
  Digest digest{};
  std::uint64_t bytes = 0;
  std::string name;  // as uploaded; for people only, never a path
  std::int64_t created_ms = 0;
  std::string created_by;
};
struct AddedArtifact {
  Artifact artifact;
  bool created = false;  // false: the same content was there already; its row is unchanged
};
Result<AddedArtifact> AddArtifact(sql::Tx& tx, const Actor& actor, const Digest& digest, std::uint64_t bytes,
                                  std::string_view name);
Result<Artifact> GetArtifact(sql::Tx& tx, const Digest& digest);  // errors: not found
Result<Page<Artifact>> ListArtifacts(sql::Tx& tx, const PageRequest& page);
// Remove the row first, then the bytes. Errors: not found; conflict, if a release uses it.
Status RemoveArtifact(sql::Tx& tx, const Actor& actor, const Digest& digest);

}  // namespace pawl::data
