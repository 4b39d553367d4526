// Changes of a device's row that several modules make. Internal to the data layer.
#pragma once

#include "platform/io/data/devices.h"
#include "platform/io/data/events.h"

namespace pawl::data {

// Writes state and reason, raises the registry's generation, audits, emits. A decommissioned device's open job is lost.
Status SetDeviceState(sql::Tx& tx, const Actor& actor, std::string_view id, DeviceState state, EventKind event,
                      std::string_view reason);
Status RaiseRegistryGeneration(sql::Tx& tx);

// The device's attributes: the operator's, then those that the device told and the operator did not give.
Status StoreAttributes(sql::Tx& tx, std::string_view id, const std::vector<wire::Attribute>& of_operator,
                       const std::vector<wire::Attribute>& told);

}  // namespace pawl::data
