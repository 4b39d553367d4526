#include "cli/secret_output.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/show.h"

namespace pawl::cli {
namespace {

std::string FileName(std::string name) {
  for (char& c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  return name;
}

}  // namespace

Outcome<SecretOutput> SecretOutput::Open(const std::string& out, const std::string& default_name, bool replace) {
  if (out == "-") return SecretOutput(std::nullopt);
  CLI_ASSIGN(PrivateFile file, PrivateFile::Create(out.empty() ? "./" + FileName(default_name) : out, replace));
  return SecretOutput(std::move(file));
}

Done SecretOutput::Deliver(const Session& session, Answer answer, std::string_view holder, const std::string& text) {
  boost::json::value* place = &answer.value;
  if (!holder.empty()) place = place->is_object() ? place->as_object().if_contains(holder) : nullptr;
  const std::string secret = place != nullptr ? Raw(*place, "token") : "";
  if (secret.empty())
    return Fail(Exit::kUnreachable, session.api.peer().url + " answered without a token", "update pawl or pawld");
  if (!file_) {
    return Emit(session, answer, [&] { return Sanitise(secret) + "\n"; });
  }
  CLI_TRY(file_->Write(secret + "\n"));
  CLI_TRY(file_->Commit());
  place->as_object().erase("token");
  answer.text = boost::json::serialize(answer.value);
  return Emit(session, answer, [&] { return text + "secret in " + file_->path().string() + " (mode 600)\n"; });
}

}  // namespace pawl::cli
