// The effects of the update machine's rows. Internal to the machine: agent/core/transitions.def says when each happens.
#pragma once

#include "agent/core/machine.h"

namespace pawl::agent {

struct Context {
  State state;
  Actions actions;
  std::vector<Happening> derived;  // happen next, within this step
  const Happening* what = nullptr;
  Draw draw;
  TimePoint now;

  template <class T>
  const T& as() const {
    return *std::get_if<T>(what);
  }
};

// The phase of the ledger's job by record and ledger; accepted if there is none.
wire::Phase PhaseOf(const State& state);
// A job that is not yet committed.
bool HasOpenJobIn(const State& state);

namespace effect {
#define PAWL_ROW(id, from, on, guard, name, next, when, then) void name(Context& context);
#include "agent/core/transitions.def"
#undef PAWL_ROW
}  // namespace effect

}  // namespace pawl::agent
