#include "platform/main/signer_watch.h"

#include "platform/io/data/events.h"

namespace pawl::platform {
namespace {

// What the newest event of this kind has as id; 0: there is none.
Result<std::int64_t> NewestOf(sql::Tx& tx, data::EventKind kind) {
  data::EventFilter filter;
  filter.kind = kind;
  filter.limit = 1;
  filter.newest = true;
  PAWL_ASSIGN(const auto events, data::ListEvents(tx, filter));
  return events.empty() ? 0 : events.front().id;
}

// Up, unless the newest of the two kinds is hsm.down.
Result<bool> LastTold(sql::Tx& tx) {
  PAWL_ASSIGN(const std::int64_t down, NewestOf(tx, data::EventKind::kHsmDown));
  PAWL_ASSIGN(const std::int64_t up, NewestOf(tx, data::EventKind::kHsmUp));
  return up >= down;
}

}  // namespace

SignerWatch::SignerWatch(data::Database& database, std::function<Result<SignerStatus>()> status,
                         std::chrono::milliseconds period)
    : database_(database), status_(std::move(status)), period_(period) {}

SignerWatch::~SignerWatch() { Stop(); }

void SignerWatch::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}
void SignerWatch::Stop() { thread_ = {}; }

SignerWatch::State SignerWatch::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void SignerWatch::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Look();
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, stop, period_, [] { return false; });
  }
}

void SignerWatch::Look() {
  const auto status = status_();
  State now;
  now.ok = status && status->hsm_ready;
  if (now.ok) {
    now.text = "answers";
  } else {
    now.text = "HSM does not answer: " + (status ? status->hsm_problem : std::string(status.error().detail.view()));
  }
  if (status) now.operations = status->operations;
  const Status told = Tell(now.ok, now.text);
  if (!told) now.text += "; the event could not be stored";
  const std::scoped_lock lock(mutex_);
  state_ = now;
}

Status SignerWatch::Tell(bool up, const std::string& text) {
  if (!told_) {
    PAWL_ASSIGN(const bool last, database_.Read(LastTold));
    told_ = last;
  }
  if (*told_ == up) return {};
  PAWL_TRY(database_.Write([&](sql::Tx& tx) {
    return data::Emit(tx, {.kind = up ? data::EventKind::kHsmUp : data::EventKind::kHsmDown,
                           .text = up ? "the HSM answers again" : text});
  }));
  told_ = up;
  return {};
}

}  // namespace pawl::platform
