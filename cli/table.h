// Tables and fact sheets for people: aligned by display width.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.h"

namespace pawl::cli {

struct Cell {
  std::string text;  // sanitised
  Colour colour = Colour::kPlain;
};

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Precondition: as many cells as columns.
  void Add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // On a terminal the last column is cut to its width.
  std::string Text(const Terminal& terminal) const;

 private:
  std::string Line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                   const Terminal& terminal) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// "name   value" lines.
class Facts {
 public:
  void Add(std::string name, std::string text, Colour colour = Colour::kPlain) {
    lines_.emplace_back(std::move(name), Cell{std::move(text), colour});
  }
  std::string Text(const Terminal& terminal) const;

 private:
  std::vector<std::pair<std::string, Cell>> lines_;
};

}  // namespace pawl::cli
