#include "cli/text.h"

#include <gtest/gtest.h>

namespace pawl::cli {
namespace {

TEST(Sanitise, LeavesOrdinaryTextOfAnyLanguageAsItIs) {
  for (const char* text : {"", "dev-0001", "Größe 5 µs", "設備", "прошивка 2.1.0", "👍 done"})
    EXPECT_EQ(Sanitise(text), text);
}

TEST(Sanitise, ShowsEscapeSequencesInsteadOfSendingThem) {
  EXPECT_EQ(Sanitise("\x1b[2Jhello\x07"), "\\x1b[2Jhello\\x07");
  EXPECT_EQ(Sanitise("a\r\nb\tc\x7f"), "a\\x0d\\x0ab\\x09c\\x7f");
  EXPECT_EQ(Sanitise(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Sanitise, ShowsTheEightBitControlsThatSomeTerminalsObey) {
  EXPECT_EQ(Sanitise("\xc2\x9b"
                     "31m"),
            "\\x9b31m");
}

TEST(Sanitise, ShowsWhatWouldTurnTheLineAroundOrHide) {
  EXPECT_EQ(Sanitise("\xe2\x80\xae"
                     "txt.exe"),
            "\\u202etxt.exe");
  EXPECT_EQ(Sanitise("a\xe2\x80\x8b"
                     "b"),
            "a\\u200bb");
}

TEST(Sanitise, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(Sanitise("a\xff"
                     "b"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(Sanitise("\xc0\x9b"), "\xef\xbf\xbd\xef\xbf\xbd");                  // an overlong form of ESC
  EXPECT_EQ(Sanitise("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  EXPECT_EQ(Sanitise("\xe2\x80"), "\xef\xbf\xbd\xef\xbf\xbd");                  // cut off
}

TEST(Sanitise, LeavesNoControlByteWhateverTwoBytesItGets) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string safe = Sanitise(std::string{static_cast<char>(a), static_cast<char>(b)});
      for (const char c : safe) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << a << " " << b;
      ASSERT_EQ(Sanitise(safe), safe);
    }
  }
}

TEST(SanitiseJson, EscapesInsideStringsAndKeepsTheValue) {
  EXPECT_EQ(SanitiseJson("{\"a\": \"\xc2\x9b\x7f\"}\r\n"), "{\"a\": \"\\u009b\\u007f\"}\n");
  EXPECT_EQ(SanitiseJson("\"\xf3\xa0\x80\x81\""), "\"\\udb40\\udc01\"");
}

TEST(Width, CountsColumnsAndNotBytes) {
  EXPECT_EQ(Width("abc"), 3U);
  EXPECT_EQ(Width("Größe"), 5U);
  EXPECT_EQ(Width("設備"), 4U);
  EXPECT_EQ(Width("e\xcc\x81"), 1U);  // e and a combining accent
  EXPECT_EQ(Width("👍"), 2U);
}

TEST(Cut, EndsInAnEllipsisAndNeverExceedsTheColumns) {
  EXPECT_EQ(Cut("abcdef", 6), "abcdef");
  EXPECT_EQ(Cut("abcdef", 4), "abc…");
  EXPECT_EQ(Cut("設備設備", 4), "設…");
  EXPECT_EQ(Cut("abc", 0), "");
  for (std::size_t columns = 0; columns < 12; ++columns) EXPECT_LE(Width(Cut("a設bé備c👍d", columns)), columns);
}

TEST(Pad, FillsToTheColumns) {
  EXPECT_EQ(Pad("設", 4), "設  ");
  EXPECT_EQ(Pad("7", 3, true), "  7");
  EXPECT_EQ(Pad("long", 2), "long");
}

TEST(Bytes, ChoosesTheUnit) {
  EXPECT_EQ(Bytes(0), "0 B");
  EXPECT_EQ(Bytes(1023), "1023 B");
  EXPECT_EQ(Bytes(1024), "1.0 KiB");
  EXPECT_EQ(Bytes(1048575), "1.0 MiB");
  EXPECT_EQ(Bytes(16777216), "16.0 MiB");
  EXPECT_EQ(Bytes(5ULL << 40), "5.0 TiB");
}

TEST(ParseTime, ReadsRfc3339InUtc) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTime("2026-05-04T12:30:00Z"), 1777897800);
  EXPECT_EQ(ParseTime("2024-02-29T23:59:59.123456Z"), 1709251199);
  EXPECT_EQ(ParseTime("2100-03-01T00:00:00Z"), 4107542400);
}

TEST(ParseTime, RefusesEverythingElse) {
  for (const char* text :
       {"", "now", "2026-05-04", "2026-05-04 12:30:00Z", "2026-05-04T12:30:00", "2026-05-04T12:30:00+02:00",
        "2026-13-04T12:30:00Z", "2026-05-04T24:30:00Z", "-026-05-04T12:30:00Z", "2026-05-04T12:30:00Zx"}) {
    EXPECT_FALSE(ParseTime(text)) << text;
  }
}

TEST(Age, IsShort) {
  EXPECT_EQ(Age(100, 102), "just now");
  EXPECT_EQ(Age(100, 130), "30 s ago");
  EXPECT_EQ(Age(0, 200), "3 min ago");
  EXPECT_EQ(Age(0, 7300), "2 h ago");
  EXPECT_EQ(Age(0, 10 * 86400), "10 days ago");
  EXPECT_EQ(Age(7300, 0), "in 2 h");
}

TEST(ParseDuration, KnowsFourUnitsAndALimit) {
  EXPECT_EQ(ParseDuration("90"), 90);
  EXPECT_EQ(ParseDuration("90s"), 90);
  EXPECT_EQ(ParseDuration("15m"), 900);
  EXPECT_EQ(ParseDuration("12h"), 43200);
  EXPECT_EQ(ParseDuration("30d"), 2592000);
  for (const char* text : {"", "d", "-1d", "1w", "1.5h", "30 d", "99999999d", "99999999999999999999"})
    EXPECT_FALSE(ParseDuration(text)) << text;
}

TEST(UrlEncode, LeavesNothingThatWouldChangeThePathOrQuery) {
  EXPECT_EQ(UrlEncode("dev-0001.a_b~"), "dev-0001.a_b~");
  EXPECT_EQ(UrlEncode("../a?b=c&d#e %"), "..%2Fa%3Fb%3Dc%26d%23e%20%25");
  EXPECT_EQ(UrlEncode("é\n"), "%C3%A9%0A");
}

}  // namespace
}  // namespace pawl::cli
