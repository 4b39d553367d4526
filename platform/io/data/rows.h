// Helpers for reading rows. Internal to the data layer.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "platform/io/data/common.h"

namespace pawl::data {

// One page: `sql` must end in "ORDER BY <cursor> LIMIT ?" and take `args` before that. One row more is asked for, to
// know whether there is a next page.
template <class Map, class Cursor, class T = std::invoke_result_t<Map, const sql::Row&>>
Result<Page<T>> ListPage(sql::Tx& tx, std::string_view sql, std::vector<sql::Arg> args, const PageRequest& page,
                         Map map, Cursor cursor) {
  const std::size_t limit = std::clamp<std::size_t>(page.limit, 1, kMaxPage);
  args.emplace_back(limit + 1);
  Page<T> out;
  PAWL_ASSIGN(out.items, tx.All(sql, args, map));
  if (out.items.size() > limit) {
    out.items.pop_back();
    out.next = cursor(out.items.back());
  }
  return out;
}

// What a list by falling id begins below: its cursor, or at the start what is above every id (they are hex digits).
inline std::string_view NewestFirst(const PageRequest& page) {
  return page.after.empty() ? "~" : std::string_view(page.after);
}

// Fixed-size items one after another in one column.
template <std::size_t N>
std::vector<std::uint8_t> Join(const std::vector<std::array<std::uint8_t, N>>& items) {
  std::vector<std::uint8_t> bytes;
  for (const auto& item : items) bytes.insert(bytes.end(), item.begin(), item.end());
  return bytes;
}
template <std::size_t N>
std::vector<std::array<std::uint8_t, N>> Split(ByteView bytes) {
  std::vector<std::array<std::uint8_t, N>> items(bytes.size() / N);
  for (std::size_t i = 0; i < items.size(); ++i) std::ranges::copy(bytes.subspan(i * N, N), items[i].begin());
  return items;
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> MaybeFixed(const sql::Row& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return row.Fixed<N>(column);
}

}  // namespace pawl::data
