#include "plugins/lm/tasks/csv.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

class CsvParser {
public:
    CsvParser(std::string_view text, const std::string& name) : text_(text), name_(name) {
        if (text_.starts_with("\xEF\xBB\xBF"))
            at_ = 3;
    }

    std::vector<CsvRow> rows() {
        std::vector<CsvRow> rows;
        while (at_ < text_.size()) {
            if (take_line_end())
                continue;
            rows.push_back(row());
            if (rows.back().cells.size() != rows.front().cells.size())
                refuse(rows.back().line,
                       fmt::format("{}, the first row has {}",
                                   plural(rows.back().cells.size(), "cell"),
                                   rows.front().cells.size()));
        }
        return rows;
    }

private:
    [[noreturn]] void refuse(std::size_t line, std::string what) const {
        Position where;
        where.file = name_;
        where.line = static_cast<int>(line);
        where.column = 1;
        throw Error(where, std::move(what)).exit_code(kExitBadInput);
    }

    bool take_line_end() {
        if (text_.substr(at_).starts_with("\r\n"))
            at_ += 2;
        else if (text_[at_] == '\n')
            at_++;
        else
            return false;
        line_++;
        return true;
    }

    CsvRow row() {
        CsvRow row{.cells = {}, .line = line_};
        for (;;) {
            row.cells.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted() : plain());
            if (at_ == text_.size() || take_line_end())
                return row;
            if (text_[at_] != ',')
                refuse(line_, "text behind the closing quote of a cell");
            at_++;
        }
    }

    std::string plain() {
        std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' &&
               !text_.substr(at_).starts_with("\r\n"))
            at_++;
        return std::string(text_.substr(begin, at_ - begin));
    }

    std::string quoted() {
        std::size_t began = line_;
        std::string cell;
        for (at_++; at_ < text_.size(); at_++) {
            if (text_[at_] == '"') {
                at_++;
                if (at_ == text_.size() || text_[at_] != '"')
                    return cell;
            }
            if (text_[at_] == '\n')
                line_++;
            cell += text_[at_];
        }
        refuse(began, "a quote that nothing closes");
    }

    std::string_view text_;
    const std::string& name_;
    std::size_t at_ = 0, line_ = 1;
};

}  // namespace

std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name) {
    if (auto offset = find_invalid_utf8(text))
        throw Error({}, fmt::format("{}: byte {} is no UTF-8", name, *offset))
            .exit_code(kExitBadInput);
    return CsvParser(text, name).rows();
}

}  // namespace stillroom::lm
