// Operator tokens: "pawl_<id>_<secret>", 256 random bits. Only SHA-256 of the secret is stored.
#pragma once

#include "platform/io/data/common.h"

namespace pawl::data {

// Bits. kAdmin includes all others.
enum class Scope : std::uint8_t { kRead = 1, kDevices = 2, kReleases = 4, kCampaigns = 8, kTokens = 16, kAdmin = 32 };
std::string_view Text(Scope scope);  // "read", ...
Result<Scope> ParseScope(std::string_view text);
std::vector<Scope> AllScopes();

struct Token {
  std::string id;
  std::string name;
  std::vector<Scope> scopes;
  std::int64_t created_ms = 0;
  std::optional<std::int64_t> expires_ms;
  std::optional<std::int64_t> revoked_ms;
  std::optional<std::int64_t> last_used_ms;  // to the minute
  std::string created_by;
};
// The scope must be listed, or kAdmin: no scope contains another, but admin all.
bool Allows(const Token& token, Scope scope);

struct TokenSpec {
  std::string name;           // 1..kMaxNameBytes
  std::vector<Scope> scopes;  // at least one
  std::optional<std::int64_t> expires_in_s;
};
struct IssuedToken {
  Token token;
  std::string text;  // the secret itself: shown once, stored nowhere
};
// Errors: conflict (a token of this name that was not revoked), invalid argument.
Result<IssuedToken> CreateToken(sql::Tx& tx, const Actor& actor, const TokenSpec& spec);

// The token that this text names. Errors: unauthenticated (malformed, unknown, wrong, expired or revoked: the detail
// does not tell the first three apart). Compares in constant time.
Result<Token> Authenticate(sql::Tx& tx, std::string_view text);

// Notes that the token is used now; no more than once a minute is stored.
inline constexpr std::int64_t kLastUsedEveryMs = 60'000;
Status NoteTokenUse(sql::Tx& tx, std::string_view id);

// Those that were not revoked, the newest first.
Result<Page<Token>> ListTokens(sql::Tx& tx, const PageRequest& page);
// Errors: not found; conflict (the last token that may do everything). Revoking twice is no error.
Status RevokeToken(sql::Tx& tx, const Actor& actor, std::string_view id);

// The first admin token, if no token was ever created; else nothing. For pawld's first start.
Result<std::optional<IssuedToken>> EnsureAdminToken(sql::Tx& tx);

}  // namespace pawl::data
