// The parts of the port that its Start brings up. Private to boot/port/ast1030.
#pragma once

namespace pawl::board {

void StartClock();  // console.cc

}  // namespace pawl::board
