// The record store with its rules made optional: a stand-in for slots/record_store.cc at link time, so that the same
// bootloader runs on the usual designs. Each of them is a bug for the campaign to find.
#pragma once

namespace pawl::powercut {

struct StoreDesign {
  bool twice = true;       // S2: two copies; a single newest one is written twice again
  bool head_first = true;  // S2: the first 16 bytes before the rest
  bool kill = true;        // S3: doubtful cells are programmed to zero at boot
  bool guard = true;       // S4: after a boot, one cell is killed and left out
  bool kill_again = true;  // S4: so is the cell before it, if it reads zero already
  bool firm = true;        // S6: the newest cell is programmed once more before the other sector is erased
};

// What every RecordStore of this program does from now on.
void UseStoreDesign(const StoreDesign& design);

}  // namespace pawl::powercut
