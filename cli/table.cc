#include "cli/table.h"

#include <algorithm>

#include "base/assert.h"
#include "cli/text.h"

namespace pawl::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLastColumnMin = 8;  // narrower than this, a line may rather wrap

void TrimRight(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

void Table::Add(std::vector<Cell> cells) {
  PAWL_ASSERT(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::Text(const Terminal& terminal) const {
  std::vector<Cell> titles;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    titles.push_back({column.title, Colour::kDim});
    widths.push_back(Width(column.title));
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i].text));
  }
  std::string text = Line(titles, widths, terminal);
  for (const auto& row : rows_) text += Line(row, widths, terminal);
  return text;
}

std::string Table::Line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                        const Terminal& terminal) const {
  std::string line;
  std::size_t used = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool last = i + 1 == cells.size();
    std::string text = cells[i].text;
    if (last && terminal.columns > used) text = Cut(text, std::max(terminal.columns - used, kLastColumnMin));
    if (!last || columns_[i].right) text = Pad(text, widths[i], columns_[i].right);
    if (!last) text.append(kGap, ' ');
    if (last && !columns_[i].right) TrimRight(text);
    line += terminal.Paint(text, cells[i].colour);
    used += widths[i] + kGap;
  }
  TrimRight(line);
  return line + "\n";
}

std::string Facts::Text(const Terminal& terminal) const {
  std::size_t width = 0;
  for (const auto& [name, cell] : lines_) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, cell] : lines_) {
    text += terminal.Paint(Pad(name, width + kGap), Colour::kDim) + terminal.Paint(cell.text, cell.colour) + "\n";
  }
  return text;
}

}  // namespace pawl::cli
