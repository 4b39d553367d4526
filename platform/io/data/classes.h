// Device classes: what devices of one kind have in common, and which trial budgets their watchdog allows.
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

struct ClassSpec {
  std::string name;    // [a-z0-9][a-z0-9._-]{0,62}
  std::string vendor;  // a domain
  std::uint64_t slot_bytes = 0;
  std::uint32_t watchdog_s = 0;          // the hardware watchdog's window
  std::uint32_t max_trial_budget_s = 0;  // the longest trial that a release may ask for
  std::uint32_t patience_s = 900;        // added while the platform is unreachable (protocol.md, device rule 5)
  std::uint64_t min_board_revision = 0;
  std::uint64_t max_board_revision = 0;  // 0: no upper bound
};
struct Class : ClassSpec {
  Uuid vendor_id{};                   // VendorId(vendor) of trust/sign/client.h
  Uuid class_id{};                    // ClassId(vendor_id, name)
  std::vector<KeyId> keys;            // image keys in the anchors
  std::vector<std::uint8_t> anchors;  // what goes into ROM: deterministic CBOR (docs/spec/keys.md)
  std::int64_t created_ms = 0;
};

// Precondition: `anchors` decodes, `keys` are its image keys. Errors: conflict (name taken), invalid argument.
Result<Class> CreateClass(sql::Tx& tx, const Actor& actor, const ClassSpec& spec, ByteView anchors,
                          const std::vector<KeyId>& keys);
Result<Class> GetClass(sql::Tx& tx, std::string_view name);  // errors: not found
Result<Page<Class>> ListClasses(sql::Tx& tx, const PageRequest& page);

// The class's rule for trials (docs/spec/protocol.md, "Trial budgets"). Errors: trial budget, with the numbers.
Status CheckTrialBudget(const ClassSpec& cls, std::uint32_t budget_s);
// The rules that make a class usable at all. Errors: invalid argument, trial budget.
Status CheckClass(const ClassSpec& spec);

}  // namespace pawl::data
