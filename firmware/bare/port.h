// What the child needs of its board beside flash: the line and the watchdog. Freestanding.
#pragma once

#include <string_view>

#include "wire/serial/frame.h"

namespace pawl::firmware {

class ChildPort {
 public:
  // Frames and text on the one line; blocking.
  virtual void Send(const serial::Frame& frame) = 0;
  virtual void Print(std::string_view text) = 0;
  // Starts the watchdog's window again.
  virtual void Feed() = 0;

 protected:
  ~ChildPort() = default;
};

}  // namespace pawl::firmware
