#include "agent/io/resolver.h"

#include <netdb.h>

#include <array>
#include <vector>

namespace pawl::agent {

// glibc writes into it from a thread of its own until gai_error says otherwise: an abandoned look-up is kept until
// then.
struct Resolver::Lookup {
  std::string host;
  addrinfo hints{};
  gaicb request{};
  ~Lookup() {
    if (request.ar_result != nullptr) ::freeaddrinfo(request.ar_result);
  }
};

namespace {

std::vector<std::shared_ptr<void>>& Abandoned() {
  static auto& lookups = *new std::vector<std::shared_ptr<void>>;
  return lookups;
}

}  // namespace

Resolver::Resolver() = default;

Resolver::~Resolver() {
  if (lookup_ && ::gai_cancel(&lookup_->request) == EAI_NOTCANCELED) Abandoned().push_back(lookup_);
}

void Resolver::Start(const std::string& host) {
  if (lookup_ && ::gai_cancel(&lookup_->request) == EAI_NOTCANCELED) Abandoned().push_back(lookup_);
  lookup_ = std::make_shared<Lookup>();
  lookup_->host = host;
  lookup_->hints.ai_socktype = SOCK_STREAM;
  lookup_->request.ar_name = lookup_->host.c_str();
  lookup_->request.ar_request = &lookup_->hints;
  gaicb* list[] = {&lookup_->request};
  // A failure to start is found by gai_error as well.
  static_cast<void>(::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr));
}

std::optional<Result<std::string>> Resolver::Take() {
  if (!lookup_) return std::nullopt;
  const int state = ::gai_error(&lookup_->request);
  if (state == EAI_INPROGRESS) return std::nullopt;
  const std::shared_ptr<Lookup> lookup = std::move(lookup_);
  lookup_ = nullptr;
  std::array<char, NI_MAXHOST> text{};
  const addrinfo* found = lookup->request.ar_result;
  if (state != 0 || found == nullptr ||
      ::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return Fail(Reason::kUnavailable, lookup->host + ": " + (state != 0 ? ::gai_strerror(state) : "no address"));
  }
  return Result<std::string>(text.data());
}

}  // namespace pawl::agent
