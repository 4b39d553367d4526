// Names of vendors and classes as UUIDs (RFC 9562, version 5).
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace pawl {

Uuid VendorId(std::string_view domain);                         // UUIDv5(DNS, vendor's domain)
Uuid ClassId(const Uuid& vendor, std::string_view class_name);  // UUIDv5(vendor, class name)

}  // namespace pawl
