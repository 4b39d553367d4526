// How pawl-machine shows things: text for people, JSON for programs.
#pragma once

#include <string>

#include "boot/port/host/device_status.h"
#include "boot/port/host/machine.h"

namespace pawl {

// One line each, without its end.
std::string EventAsText(const MachineEvent& event);
std::string EventAsJson(const MachineEvent& event);

std::string StatusAsText(const std::string& dir, const DeviceStatus& status);
std::string StatusAsJson(const DeviceStatus& status);

}  // namespace pawl
