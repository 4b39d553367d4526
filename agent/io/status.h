// What the device's own files say, or of a child: the gateway's files and the child itself. For `pawl-agent status`.
// Changes nothing; safe while the agent runs.
#pragma once

#include <optional>
#include <string>

#include "agent/core/ledger.h"
#include "agent/io/config.h"
#include "agent/io/identity.h"
#include "slots/record_store.h"
#include "trust/manifest/manifest.h"

namespace pawl::agent {

struct SlotManifest {
  Version version;
  std::uint64_t sequence = 0;
};

struct DeviceStatus {
  std::optional<CertificateFacts> certificate;       // nothing: not enrolled
  std::string via;                                   // of a child: the gateway's name
  std::string child_trouble;                         // why it was not asked, or did not answer
  std::optional<SlotManifest> spool;                 // what was fetched for it, verified
  std::optional<RecordState> record;                 // nothing: a child that was not asked
  std::array<std::optional<SlotManifest>, 2> slots;  // by Slot; of a trailer whose signatures hold
  std::optional<Ledger> ledger;
};
// Errors: those of ROM and record.
Result<DeviceStatus> ReadStatus(const Config& config);

std::string StatusText(const DeviceStatus& status);
std::string StatusJson(const DeviceStatus& status);

}  // namespace pawl::agent
