#include "platform/io/data/tokens.h"

#include <gtest/gtest.h>

#include <set>

#include "platform/io/data/test_platform.h"

namespace pawl::data {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace)
using testing::Platform;

// Names are unique.
int number = 0;
IssuedToken Make(Platform& platform, std::vector<Scope> scopes, std::optional<std::int64_t> expires_in_s = {}) {
  return platform.Do([&](sql::Tx& tx) {
    return CreateToken(tx, kOperator, {"ci-" + std::to_string(number++), scopes, expires_in_s});
  });
}
Result<Token> Use(Platform& platform, std::string_view text) {
  return platform.database().Read([&](sql::Tx& tx) { return Authenticate(tx, text); });
}

TEST(Tokens, AreRecognisedByTheirSecretAndStoredWithoutIt) {
  Platform platform;
  const IssuedToken issued = Make(platform, {Scope::kDevices});
  EXPECT_EQ(Must(Use(platform, issued.text)).id, issued.token.id);
  const std::string secret = issued.text.substr(std::string("pawl_").size() + issued.token.id.size() + 1);
  EXPECT_EQ(secret.size(), 43U);
  const auto stored = platform.Do([](sql::Tx& tx) {
    return tx.One("SELECT secret_hash FROM tokens", {}, [](const sql::Row& row) { return row.String(0); });
  });
  EXPECT_EQ(stored->size(), 32U);
  EXPECT_EQ(stored->find(secret), std::string::npos);
}

TEST(Tokens, WrongOnesAreRefusedWithoutTellingHowTheyAreWrong) {
  Platform platform;
  const IssuedToken issued = Make(platform, {Scope::kAdmin});
  std::string wrong = issued.text;
  wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
  std::set<std::string> details;
  for (const std::string& text : {wrong, std::string("pawl_nobody_x"), std::string("pawl_"), std::string(),
                                  "Bearer " + issued.text, "pawl_" + issued.token.id + "_"}) {
    const auto used = Use(platform, text);
    EXPECT_EQ(ReasonOf(used), Reason::kUnauthenticated) << text;
    details.insert(DetailOf(used));
  }
  EXPECT_EQ(details.size(), 1U);
}

TEST(Tokens, EndByExpiryAndByRevocation) {
  Platform platform;
  const IssuedToken brief = Make(platform, {Scope::kRead}, 60);
  const IssuedToken revoked = Make(platform, {Scope::kRead});
  platform.Pass(59);
  EXPECT_TRUE(Use(platform, brief.text));
  platform.Pass(1);
  EXPECT_EQ(ReasonOf(Use(platform, brief.text)), Reason::kUnauthenticated);
  for (int i = 0; i < 2; ++i) platform.Do([&](sql::Tx& tx) { return RevokeToken(tx, kOperator, revoked.token.id); });
  EXPECT_EQ(ReasonOf(Use(platform, revoked.text)), Reason::kUnauthenticated);
  EXPECT_EQ(platform.Events(EventKind::kTokenRevoked).size(), 1U);
  EXPECT_EQ(ReasonOf(platform.Write([](sql::Tx& tx) { return RevokeToken(tx, kOperator, "nobody"); })),
            Reason::kNotFound);
}

TEST(Tokens, AllowTheirScopesAndAdminAll) {
  Token token;
  token.scopes = {Scope::kDevices};
  EXPECT_FALSE(Allows(token, Scope::kRead));
  EXPECT_TRUE(Allows(token, Scope::kDevices));
  EXPECT_FALSE(Allows(token, Scope::kReleases));
  EXPECT_FALSE(Allows(token, Scope::kAdmin));
  token.scopes = {Scope::kAdmin};
  for (const Scope scope : AllScopes()) EXPECT_TRUE(Allows(token, scope)) << Text(scope);
}

TEST(Tokens, KeepTheirScopesInTheDatabase) {
  Platform platform;
  const IssuedToken issued = Make(platform, {Scope::kCampaigns, Scope::kRead});
  EXPECT_EQ(Must(Use(platform, issued.text)).scopes, (std::vector{Scope::kRead, Scope::kCampaigns}));
  for (const Scope scope : AllScopes()) EXPECT_EQ(Must(ParseScope(Text(scope))), scope);
  EXPECT_EQ(ReasonOf(ParseScope("root")), Reason::kInvalidArgument);
}

TEST(Tokens, NeedANameAScopeAndAFuture) {
  Platform platform;
  const std::vector<TokenSpec> bad = {{"", {Scope::kRead}, {}},
                                      {std::string(129, 'x'), {Scope::kRead}, {}},
                                      {"x", {}, {}},
                                      {"x", {Scope::kRead}, 0},
                                      {"x", {Scope::kRead}, std::int64_t{1} << 62}};
  for (const TokenSpec& spec : bad) {
    EXPECT_EQ(ReasonOf(platform.Write([&](sql::Tx& tx) { return CreateToken(tx, kOperator, spec); })),
              Reason::kInvalidArgument);
  }
}

TEST(Tokens, TheFirstAdminIsMadeOnce) {
  Platform platform;
  const auto first = platform.Do([](sql::Tx& tx) { return EnsureAdminToken(tx); });
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(Allows(Must(Use(platform, first->text)), Scope::kTokens));
  EXPECT_FALSE(platform.Do([](sql::Tx& tx) { return EnsureAdminToken(tx); }).has_value());
}

TEST(Tokens, TheLastAdminStaysAndNamesAreUniqueAmongThoseInUse) {
  Platform platform;
  const auto create = [&](const std::string& name) {
    return platform.Write([&](sql::Tx& tx) { return CreateToken(tx, kOperator, {name, {Scope::kAdmin}, {}}); });
  };
  const auto revoke = [&](const std::string& id) {
    return ReasonOf(platform.Write([&](sql::Tx& tx) { return RevokeToken(tx, kOperator, id); }));
  };
  const IssuedToken first = Must(create("first"));
  EXPECT_EQ(revoke(first.token.id), Reason::kConflict);
  EXPECT_EQ(ReasonOf(create("first")), Reason::kConflict);
  const IssuedToken second = Must(create("second"));
  EXPECT_EQ(revoke(first.token.id), Reason::kNone);
  EXPECT_EQ(revoke(second.token.id), Reason::kConflict);
  Must(create("first"));
}

TEST(Tokens, TheirUseIsNotedOnceAMinute) {
  Platform platform;
  const IssuedToken token = Make(platform, {Scope::kRead});
  const auto used_at = [&] {
    platform.Do([&](sql::Tx& tx) { return NoteTokenUse(tx, token.token.id); });
    return Must(Use(platform, token.text)).last_used_ms;
  };
  EXPECT_FALSE(token.token.last_used_ms);
  const auto first = used_at();
  ASSERT_TRUE(first);
  platform.Pass(59);
  EXPECT_EQ(used_at(), first);
  platform.Pass(1);
  EXPECT_EQ(used_at(), *first + 60'000);
}

TEST(Tokens, AreListedPageByPage) {
  Platform platform;
  for (int i = 0; i < 5; ++i) Make(platform, {Scope::kRead});
  std::set<std::string> seen;
  PageRequest page{2, {}};
  for (int pages = 1;; ++pages) {
    const auto got = platform.Do([&](sql::Tx& tx) { return ListTokens(tx, page); });
    for (const Token& token : got.items) seen.insert(token.id);
    if (!got.next) {
      EXPECT_EQ(pages, 3);
      break;
    }
    page.after = *got.next;
  }
  EXPECT_EQ(seen.size(), 5U);
}

}  // namespace
}  // namespace pawl::data
