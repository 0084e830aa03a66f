#include "plugins/lm/data/parquet.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/data/parquet_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace stillroom::lm {
namespace {

using Kind = ParquetColumn::Kind;

constexpr std::size_t kMostItems = std::size_t{1} << 22;  ///< of a row's list
constexpr std::size_t kMostTexts = std::size_t{1} << 30;  ///< bytes of them

const char* word(Kind kind) {
    switch (kind) {
        case Kind::text:
            return "text";
        case Kind::integer:
            return "whole numbers";
        case Kind::real:
            return "numbers";
        case Kind::boolean:
            return "truths";
        case Kind::other:
            break;
    }
    return "something else";
}

const ParquetColumn* find(const ParquetFooter& footer, std::string_view name) {
    for (const ParquetColumn& column : footer.columns)
        if (column.name == name)
            return &column;
    for (const ParquetColumn& column : footer.columns)
        if (column.path == name)
            return &column;
    return nullptr;
}

/// Why a column that is asked for cannot be read; empty: it can.
std::string unreadable(const ParquetColumn& column) {
    if (column.most_repetition > 1)
        return "is a list of lists, which is not read";
    switch (column.type) {
        case ParquetType::int96:
            return "holds INT96, which is not read";
        case ParquetType::fixed_bytes:
            return "holds FIXED_LEN_BYTE_ARRAY, which is not read";
        default:
            return {};
    }
}

}  // namespace

ParquetFile ParquetFile::open(const std::filesystem::path& path) {
    ParquetFile out;
    out.file_ = std::make_shared<const MappedFile>(MappedFile::open(path));
    out.footer_ = std::make_shared<const ParquetFooter>(read_parquet_footer(*out.file_));
    return out;
}

bool ParquetFile::has(std::string_view name) const {
    return find(*footer_, name) != nullptr;
}

const ParquetColumn& ParquetFile::column(std::string_view name) const {
    if (const ParquetColumn* found = find(*footer_, name))
        return *found;
    std::vector<std::string> names, below;
    for (const ParquetColumn& column : footer_->columns) {
        names.push_back(column.name);
        if (column.name.size() > name.size() && column.name.starts_with(name) &&
            column.name[name.size()] == '.')
            below.push_back(column.name);
    }
    constexpr std::size_t kShown = 20;
    Error error({}, fmt::format("{} has no column '{}'", path().string(), name));
    if (!below.empty()) {
        below.resize(std::min(below.size(), kShown));
        error.hint(fmt::format("it is a group of {}", join(below)));
    } else if (std::string near = did_you_mean(name, names); !near.empty()) {
        error.hint(near);
    } else {
        names.resize(std::min(names.size(), kShown));
        error.hint(fmt::format("it has {}", join(names)));
    }
    throw error.exit_code(kExitBadInput);
}

struct ParquetReader::State {
    ParquetFile file;
    const ParquetFooter& footer;
    const ParquetColumn& column;

    std::size_t group = 0;  ///< that comes next
    std::int64_t row = -1;
    std::int64_t rows_left = 0;  ///< in the group at hand
    std::optional<ParquetPages> pages = {};
    std::optional<ParquetPage> page = {};
    std::optional<std::uint32_t> repetition = {};  ///< of the value that comes next, if looked at

    bool null = false;
    std::vector<ParquetValue> items = {};
    std::string texts = {};  ///< of a list's items, which may come from several pages

    [[noreturn]] void refuse(const std::string& what) const {
        throw Error({},
                    fmt::format("{}: column '{}' has {} (row {})",
                                file.path().string(),
                                column.name,
                                what,
                                std::max<std::int64_t>(row, 0)))
            .exit_code(kExitBadInput);
    }

    /// Whether the group has a value left, on the way to the next page.
    bool has_value() {
        while (!page || page->values == 0) {
            if (!pages)
                return false;
            page = pages->next();
            if (!page)
                return false;
        }
        return true;
    }

    bool begins_row() {
        if (!repetition)
            repetition = page->repetitions.next();
        return *repetition == 0;
    }

    bool open_group() {
        while (rows_left == 0) {
            if (has_value())
                throw BadBytes{"more values than its row group has rows"};
            if (group == footer.groups.size())
                return false;
            const ParquetFooter::RowGroup& next = footer.groups[group++];
            rows_left = next.rows;
            page.reset();
            pages.emplace(*file.file_,
                          column,
                          next.chunks[static_cast<std::size_t>(&column - footer.columns.data())]);
        }
        return true;
    }

    void take() {
        bool first = begins_row();
        if (items.size() == kMostItems || texts.size() > kMostTexts)
            throw BadBytes{fmt::format(
                "a list of {} items and {} bytes and more", items.size(), texts.size())};
        repetition.reset();
        --page->values;
        auto definition = static_cast<int>(page->definitions.next());
        if (definition > column.most_definition || (!first && definition < column.list_definition))
            throw BadBytes{
                fmt::format("a value at level {} of {}", definition, column.most_definition)};
        if (definition == column.most_definition)
            return keep(page->data.next());
        if (column.list && definition < column.list_definition) {
            null = definition < column.list_definition - 1;  // else the list is empty
            return;
        }
        items.emplace_back().null = true;
    }

    void keep(const ParquetValue& value) {
        items.push_back(value);
        if (column.list)
            texts += value.text;
    }

    /// Of a list, now that they are all in one place.
    void place_texts() {
        std::string_view rest = texts;
        for (ParquetValue& item : items) {
            std::size_t length = item.text.size();
            item.text = rest.substr(0, length);
            rest.remove_prefix(length);
        }
    }

    bool next() {
        null = false;
        items.clear();
        texts.clear();
        if (!open_group())
            return false;
        ++row;
        --rows_left;
        if (!has_value())
            throw BadBytes{fmt::format("values that end {} rows too early", rows_left + 1)};
        if (!begins_row())
            throw BadBytes{"a list that begins in its middle"};
        do
            take();
        while (column.list && has_value() && !begins_row());
        if (column.list)
            place_texts();
        else
            null = items.front().null;
        return true;
    }
};

ParquetReader::ParquetReader(const ParquetFile& file, std::string_view name, Kind kind)
    : state_(new State{file, *file.footer_, file.column(name)}) {
    const ParquetColumn& column = state_->column;
    std::string why = unreadable(column);
    if (why.empty() && column.kind != kind)
        why = fmt::format("holds {}, {} is wanted", word(column.kind), word(kind));
    if (!why.empty())
        throw Error({}, fmt::format("{}: column '{}' {}", file.path().string(), column.name, why))
            .exit_code(kExitBadInput);
}

ParquetReader::~ParquetReader() = default;
ParquetReader::ParquetReader(ParquetReader&&) noexcept = default;
ParquetReader& ParquetReader::operator=(ParquetReader&&) noexcept = default;

bool ParquetReader::next() try { return state_->next(); } catch (const BadBytes& bad) {
    state_->refuse(bad.what);
}

std::int64_t ParquetReader::row() const {
    return state_->row;
}

bool ParquetReader::is_null() const {
    return state_->null;
}

std::string_view ParquetReader::text() const {
    return state_->items.front().text;
}

std::int64_t ParquetReader::integer() const {
    return state_->items.front().integer;
}

double ParquetReader::real() const {
    return state_->items.front().real;
}

std::span<const ParquetValue> ParquetReader::items() const {
    if (state_->null)
        return {};
    return state_->items;
}

}  // namespace stillroom::lm
