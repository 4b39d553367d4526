#include "platform/io/data/tokens.h"

#include <algorithm>

#include "base/text.h"
#include "platform/io/data/audit.h"
#include "platform/io/data/events.h"
#include "platform/io/data/json_text.h"
#include "platform/io/data/rows.h"
#include "trust/crypto/crypto.h"

namespace pawl::data {
namespace {

constexpr std::string_view kPrefix = "pawl_";
constexpr std::size_t kSecretBytes = 32;
constexpr std::int64_t kMaxLifeS = std::int64_t{100} * 366 * 86400;

struct ScopeRow {
  Scope scope;
  std::string_view text;
};
constexpr ScopeRow kScopes[] = {{Scope::kRead, "read"},         {Scope::kDevices, "devices"},
                                {Scope::kReleases, "releases"}, {Scope::kCampaigns, "campaigns"},
                                {Scope::kTokens, "tokens"},     {Scope::kAdmin, "admin"}};

std::uint8_t BitsOf(const std::vector<Scope>& scopes) {
  std::uint8_t bits = 0;
  for (const Scope scope : scopes) bits = static_cast<std::uint8_t>(bits | static_cast<std::uint8_t>(scope));
  return bits;
}

constexpr std::string_view kColumns =
    "SELECT id, name, scopes, created_ms, expires_ms, revoked_ms, created_by, last_used_ms";

Token ToToken(const sql::Row& row) {
  Token token;
  token.id = row.String(0);
  token.name = row.String(1);
  for (const ScopeRow& scope : kScopes) {
    if ((row.Int(2) & static_cast<std::uint8_t>(scope.scope)) != 0) token.scopes.push_back(scope.scope);
  }
  token.created_ms = row.Int(3);
  token.expires_ms = row.MaybeInt(4);
  token.revoked_ms = row.MaybeInt(5);
  token.created_by = row.String(6);
  token.last_used_ms = row.MaybeInt(7);
  return token;
}

Status Check(const TokenSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kMaxNameBytes) {
    return Fail(Reason::kInvalidArgument, "a token's name has 1 to 128 bytes");
  }
  if (spec.scopes.empty()) return Fail(Reason::kInvalidArgument, "a token needs at least one scope");
  if (spec.expires_in_s && (*spec.expires_in_s <= 0 || *spec.expires_in_s > kMaxLifeS)) {
    return Fail(Reason::kInvalidArgument, "expires_in_s must lie in the future, within 100 years");
  }
  return {};
}

struct Parsed {
  std::string_view id;
  std::string_view secret;
};
std::optional<Parsed> Parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const std::size_t underscore = text.find('_');
  if (underscore == std::string_view::npos) return std::nullopt;
  return Parsed{text.substr(0, underscore), text.substr(underscore + 1)};
}

// Without a token that may do everything nobody could ever make one again.
Status CheckNotLastAdmin(sql::Tx& tx, std::string_view id) {
  const auto admins = [&](std::string_view condition) {
    return tx.One(
        "SELECT 1 FROM tokens WHERE (scopes & ?) <> 0 AND revoked_ms IS NULL AND (expires_ms IS NULL OR "
        "expires_ms > ?) AND " +
            std::string(condition) + " LIMIT 1",
        {static_cast<std::uint8_t>(Scope::kAdmin), tx.now_ms(), id}, [](const sql::Row&) { return true; });
  };
  PAWL_ASSIGN(const auto is_admin, admins("id = ?"));
  PAWL_ASSIGN(const auto other, admins("id <> ?"));
  if (is_admin && !other)
    return Fail(Reason::kConflict, "this is the last token with the scope admin: make another one first");
  return {};
}

std::unexpected<Error> Unknown() { return Fail(Reason::kUnauthenticated, "no such token"); }

}  // namespace

std::string_view Text(Scope scope) {
  const auto* found = std::ranges::find(kScopes, scope, &ScopeRow::scope);
  return found == std::end(kScopes) ? "unknown" : found->text;
}

Result<Scope> ParseScope(std::string_view text) {
  const auto* found = std::ranges::find(kScopes, text, &ScopeRow::text);
  if (found == std::end(kScopes)) {
    return Fail(Reason::kInvalidArgument,
                "no scope \"" + std::string(text) + "\": read, devices, releases, campaigns, tokens, admin");
  }
  return found->scope;
}

std::vector<Scope> AllScopes() {
  std::vector<Scope> scopes;
  for (const ScopeRow& row : kScopes) scopes.push_back(row.scope);
  return scopes;
}

bool Allows(const Token& token, Scope scope) {
  return std::ranges::any_of(token.scopes, [&](Scope has) { return has == scope || has == Scope::kAdmin; });
}

Result<IssuedToken> CreateToken(sql::Tx& tx, const Actor& actor, const TokenSpec& spec) {
  PAWL_TRY(Check(spec));
  PAWL_ASSIGN(const auto taken, tx.One("SELECT 1 FROM tokens WHERE name = ? AND revoked_ms IS NULL", {spec.name},
                                       [](const sql::Row&) { return true; }));
  if (taken) return Fail(Reason::kConflict, "there is a token \"" + spec.name + "\" already");
  std::array<std::uint8_t, kSecretBytes> secret{};
  RandomBytes(secret);
  std::array<char, Base64UrlSize(kSecretBytes)> coded{};
  const std::string_view secret_text = Base64UrlEncode(secret, coded);

  const std::string id = NewId(tx.now_ms());
  std::optional<std::int64_t> expires_ms;
  if (spec.expires_in_s) expires_ms = tx.now_ms() + *spec.expires_in_s * 1000;
  PAWL_TRY(tx.Execute(
      "INSERT INTO tokens (id, name, scopes, secret_hash, created_ms, created_by, expires_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?)",
      {id, spec.name, BitsOf(spec.scopes), crypto::Hash(AsBytes(secret_text)), tx.now_ms(), actor.name, expires_ms}));
  PAWL_TRY(Audit(tx, actor, "token.create", id,
                 JsonObject({{"name", spec.name}, {"scopes", std::uint64_t{BitsOf(spec.scopes)}}})));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kTokenCreated,
                     .text = "token \"" + spec.name + "\" created",
                     .actor = actor.name,
                     .data = JsonObject({{"token", id}})}));
  PAWL_ASSIGN(auto token, tx.One(std::string(kColumns) + " FROM tokens WHERE id = ?", {id}, ToToken));
  return IssuedToken{token.value_or(Token{}), std::string(kPrefix).append(id).append("_").append(secret_text)};
}

Result<Token> Authenticate(sql::Tx& tx, std::string_view text) {
  const std::optional<Parsed> parsed = Parse(text);
  if (!parsed) return Unknown();
  struct Stored {
    Token token;
    Digest hash{};
  };
  PAWL_ASSIGN(const auto stored, tx.One(std::string(kColumns) + ", secret_hash FROM tokens WHERE id = ?", {parsed->id},
                                        [](const sql::Row& row) { return Stored{ToToken(row), row.Fixed<32>(8)}; }));
  if (!stored || !EqualConstantTime(stored->hash, crypto::Hash(AsBytes(parsed->secret)))) return Unknown();
  const Token& token = stored->token;
  if (token.revoked_ms) return Fail(Reason::kUnauthenticated, "the token \"" + token.name + "\" was revoked");
  if (token.expires_ms && *token.expires_ms <= tx.now_ms()) {
    return Fail(Reason::kUnauthenticated, "the token \"" + token.name + "\" has expired");
  }
  return token;
}

Result<Page<Token>> ListTokens(sql::Tx& tx, const PageRequest& page) {
  return ListPage(tx,
                  std::string(kColumns) + " FROM tokens WHERE revoked_ms IS NULL AND id < ? ORDER BY id DESC LIMIT ?",
                  {NewestFirst(page)}, page, ToToken, [](const Token& token) { return token.id; });
}

Status NoteTokenUse(sql::Tx& tx, std::string_view id) {
  PAWL_TRY(tx.Execute("UPDATE tokens SET last_used_ms = ? WHERE id = ? AND COALESCE(last_used_ms, 0) <= ?",
                      {tx.now_ms(), id, tx.now_ms() - kLastUsedEveryMs}));
  return {};
}

Status RevokeToken(sql::Tx& tx, const Actor& actor, std::string_view id) {
  PAWL_ASSIGN(const auto name,
              tx.One("SELECT name FROM tokens WHERE id = ?", {id}, [](const sql::Row& row) { return row.String(0); }));
  if (!name) return Fail(Reason::kNotFound, "no token \"" + std::string(id) + "\"");
  PAWL_TRY(CheckNotLastAdmin(tx, id));
  PAWL_ASSIGN(const auto changed,
              tx.Execute("UPDATE tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL", {tx.now_ms(), id}));
  if (changed == 0) return {};
  PAWL_TRY(Audit(tx, actor, "token.revoke", id));
  PAWL_TRY(Emit(tx, {.kind = EventKind::kTokenRevoked,
                     .text = "token \"" + *name + "\" revoked",
                     .actor = actor.name,
                     .data = JsonObject({{"token", id}})}));
  return {};
}

Result<std::optional<IssuedToken>> EnsureAdminToken(sql::Tx& tx) {
  PAWL_ASSIGN(const auto any, tx.One("SELECT 1 FROM tokens LIMIT 1", {}, [](const sql::Row&) { return true; }));
  if (any) return std::nullopt;
  PAWL_ASSIGN(auto issued, CreateToken(tx, Platform(), {"admin", {Scope::kAdmin}, std::nullopt}));
  return issued;
}

}  // namespace pawl::data
