#include "plugins/lm/data/parquet_footer.h"

#include "engine/base/error.h"
#include "plugins/lm/data/thrift_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr std::uint64_t kEnd = 8;    // the footer's length and the magic
constexpr std::uint64_t kFront = 4;  // the magic
constexpr std::uint64_t kMostFooter = std::uint64_t{64} << 20;
constexpr int kDeepest = 8;
constexpr std::int64_t kMostRows = std::int64_t{1} << 48;

enum Repetition { kRequired, kOptional, kRepeated };

/// Annotations of the format that make a difference here.
enum Converted { kNone = -1, kUtf8 = 0, kListOf = 3, kEnum = 4, kDecimal = 5, kJson = 19 };
constexpr int kFirstUnsigned = 11, kLastUnsigned = 14;

struct Element {
    std::string name;
    int type = -1;  ///< a group has none
    int repetition = kRequired;
    std::int32_t children = 0;
    int converted = kNone;
};

/// LogicalType: field 1 is a string, 3 a list, 4 an enum, 5 a decimal, 10 an integer.
int converted_of_logical(ThriftReader& in, int converted) {
    in.fields([&](int id, int type) {
        if (id == 1 && converted == kNone)
            converted = kUtf8;
        if (id == 3 && converted == kNone)
            converted = kListOf;
        if (id == 5 && converted == kNone)
            converted = kDecimal;
        if (id != 10)
            return false;
        in.need(type, ThriftReader::kStruct);
        in.fields([&](int inner, int kind) {
            if (inner != 2)
                return false;
            if (!in.boolean(kind) && converted == kNone)
                converted = kFirstUnsigned;
            return true;
        });
        return true;
    });
    return converted;
}

Element read_element(ThriftReader& in) {
    Element out;
    in.fields([&](int id, int type) {
        switch (id) {
            case 1:
                out.type = in.small(type);
                if (out.type < 0 || out.type > static_cast<int>(ParquetType::fixed_bytes))
                    throw BadBytes{fmt::format("a column of type {}, which is none", out.type)};
                return true;
            case 3:
                out.repetition = in.small(type);
                if (out.repetition < kRequired || out.repetition > kRepeated)
                    throw BadBytes{fmt::format("a repetition of {}", out.repetition)};
                return true;
            case 4:
                out.name = in.binary(type);
                return true;
            case 5:
                out.children = in.small(type);
                return true;
            case 6:
                out.converted = in.small(type);
                return true;
            case 10:
                in.need(type, ThriftReader::kStruct);
                out.converted = converted_of_logical(in, out.converted);
                return true;
            default:
                return false;
        }
    });
    if (out.children < 0)
        throw BadBytes{fmt::format("a group of {} columns", out.children)};
    return out;
}

/// Elements stand in the order of a walk, each group before what it holds.
class SchemaWalk {
public:
    explicit SchemaWalk(const std::vector<Element>& elements) : elements_(elements) {}

    std::vector<ParquetColumn> run() {
        if (elements_.empty())
            throw BadBytes{"no schema"};
        const Element& root = elements_[at_++];
        for (std::int32_t i = 0; i < root.children; ++i)
            visit({}, 1);
        if (at_ != elements_.size())
            throw BadBytes{
                fmt::format("{} columns that belong to no group", elements_.size() - at_)};
        return std::move(columns_);
    }

private:
    /// What is above a column.
    struct Above {
        std::string name, path;
        int definition = 0, repetition = 0, list_definition = 0;
        bool list = false;    ///< the group above is annotated as a list
        bool inside = false;  ///< it is that list's repeated group
    };

    void visit(Above above, int depth) {
        if (at_ == elements_.size())
            throw BadBytes{"a group that ends too early"};
        if (depth > kDeepest)
            throw BadBytes{fmt::format("columns nested deeper than {}", kDeepest)};
        const Element& element = elements_[at_++];
        auto below = [](std::string& text, const std::string& name) {
            text += (text.empty() ? "" : ".") + name;
        };
        below(above.path, element.name);
        bool repeats = element.repetition == kRepeated;
        bool makes_list = above.list && repeats;
        if (!makes_list && !above.inside)
            below(above.name, element.name);
        above.definition += element.repetition != kRequired;
        if (repeats) {
            ++above.repetition;
            above.list_definition = above.definition;
        }
        if (element.type >= 0)
            return add(above, element);
        // Of a list of maps the repeated group may itself hold the fields.
        above.inside = makes_list && element.children == 1;
        above.list = !above.inside && element.converted == kListOf;
        for (std::int32_t i = 0; i < element.children; ++i)
            visit(above, depth + 1);
    }

    void add(const Above& above, const Element& element) {
        ParquetColumn column;
        column.name = above.name;
        column.path = above.path;
        column.list = above.repetition > 0;
        column.most_definition = above.definition;
        column.most_repetition = above.repetition;
        column.list_definition = above.list_definition;
        column.type = static_cast<ParquetType>(element.type);
        column.is_unsigned =
            element.converted >= kFirstUnsigned && element.converted <= kLastUnsigned;
        column.kind = kind_of(column.type, element.converted);
        columns_.push_back(std::move(column));
    }

    static ParquetColumn::Kind kind_of(ParquetType type, int converted) {
        using Kind = ParquetColumn::Kind;
        if (converted == kDecimal)
            return Kind::other;
        switch (type) {
            case ParquetType::boolean:
                return Kind::boolean;
            case ParquetType::int32:
            case ParquetType::int64:
                return Kind::integer;
            case ParquetType::float32:
            case ParquetType::float64:
                return Kind::real;
            case ParquetType::bytes:
                return Kind::text;
            default:
                return Kind::other;
        }
    }

    const std::vector<Element>& elements_;
    std::size_t at_ = 0;
    std::vector<ParquetColumn> columns_;
};

struct ReadChunk {
    ParquetChunk chunk;
    std::int64_t data = -1, dictionary = -1;
};

void read_column_metadata(ThriftReader& in, ReadChunk& out) {
    std::int64_t size = -1;
    in.fields([&](int id, int type) {
        switch (id) {
            case 4:
                out.chunk.codec = in.small(type);
                return true;
            case 5:
                out.chunk.values = in.integer(type);
                return true;
            case 7:
                size = in.integer(type);
                return true;
            case 9:
                out.data = in.integer(type);
                return true;
            case 11:
                out.dictionary = in.integer(type);
                return true;
            default:
                return false;
        }
    });
    if (size < 0 || out.data < 0)
        throw BadBytes{"a column chunk without a place"};
    out.chunk.size = static_cast<std::uint64_t>(size);
}

/// `end`: where the footer begins.
ParquetChunk read_chunk(ThriftReader& in, std::uint64_t end) {
    ReadChunk read;
    bool there = false;
    in.fields([&](int id, int type) {
        if (id == 1)
            throw BadBytes{fmt::format("a column that lies in another file, {}",
                                       std::string(in.binary(type).substr(0, 100)))};
        if (id == 8 || id == 9)
            throw BadBytes{"an encrypted column"};
        if (id != 3)
            return false;
        in.need(type, ThriftReader::kStruct);
        read_column_metadata(in, read);
        there = true;
        return true;
    });
    if (!there)
        throw BadBytes{"a column chunk without a place"};
    // 0 is said for "none": of a dictionary, of data where there are no rows.
    std::int64_t first = read.data;
    if (read.dictionary > 0 && (first == 0 || read.dictionary < first))
        first = read.dictionary;
    ParquetChunk chunk = read.chunk;
    chunk.offset = static_cast<std::uint64_t>(first);
    if (chunk.offset < kFront || chunk.offset > end || chunk.size > end - chunk.offset)
        throw BadBytes{fmt::format("a column chunk at byte {} of {} bytes, the data ends at {}",
                                   chunk.offset,
                                   chunk.size,
                                   end)};
    if (chunk.values < 0)
        throw BadBytes{fmt::format("a column chunk of {} values", chunk.values)};
    return chunk;
}

std::int64_t row_count(ThriftReader& in, int type) {
    std::int64_t rows = in.integer(type);
    if (rows < 0 || rows > kMostRows)
        throw BadBytes{fmt::format("{} rows", rows)};
    return rows;
}

ParquetFooter::RowGroup read_group(ThriftReader& in, std::uint64_t end) {
    ParquetFooter::RowGroup group;
    in.fields([&](int id, int type) {
        if (id == 1)
            in.items(type, [&](int each) {
                in.need(each, ThriftReader::kStruct);
                group.chunks.push_back(read_chunk(in, end));
            });
        else if (id == 3)
            group.rows = row_count(in, type);
        else
            return false;
        return true;
    });
    return group;
}

ParquetFooter parse(std::span<const std::byte> bytes, std::uint64_t end) {
    ThriftReader in(bytes);
    ParquetFooter out;
    std::vector<Element> elements;
    in.fields([&](int id, int type) {
        switch (id) {
            case 2:
                in.items(type, [&](int each) {
                    in.need(each, ThriftReader::kStruct);
                    elements.push_back(read_element(in));
                });
                return true;
            case 3:
                out.rows = row_count(in, type);
                return true;
            case 4:
                in.items(type, [&](int each) {
                    in.need(each, ThriftReader::kStruct);
                    out.groups.push_back(read_group(in, end));
                });
                return true;
            case 8:
                throw BadBytes{"encrypted columns"};
            default:
                return false;
        }
    });
    out.columns = SchemaWalk(elements).run();
    std::int64_t rows = 0;
    for (const ParquetFooter::RowGroup& group : out.groups) {
        if (group.chunks.size() != out.columns.size())
            throw BadBytes{fmt::format("a row group of {} columns, the schema has {}",
                                       group.chunks.size(),
                                       out.columns.size())};
        rows += group.rows;
        if (rows > kMostRows)
            throw BadBytes{fmt::format("{} rows", rows)};
    }
    if (rows != out.rows)
        throw BadBytes{fmt::format("{} rows in all, its row groups have {}", out.rows, rows)};
    return out;
}

[[noreturn]] void refuse(const MappedFile& file, const std::string& why, const char* hint = "") {
    Error error({}, fmt::format("{}: {}", file.path().string(), why));
    error.exit_code(kExitBadInput);
    if (*hint)
        error.hint(hint);
    throw error;
}

}  // namespace

ParquetFooter read_parquet_footer(const MappedFile& file) {
    char end[kEnd]{};
    char front[kFront]{};
    if (file.size() < kFront + kEnd)
        refuse(file, fmt::format("{} bytes are no Parquet file", file.size()));
    file.read(0, std::as_writable_bytes(std::span(front)));
    file.read(file.size() - kEnd, std::as_writable_bytes(std::span(end)));
    if (std::memcmp(end + 4, "PARE", 4) == 0)
        refuse(file, "it is an encrypted Parquet file", "decrypt it first");
    if (std::memcmp(front, "PAR1", 4) != 0)
        refuse(file, "it does not begin as a Parquet file does");
    if (std::memcmp(end + 4, "PAR1", 4) != 0)
        refuse(file, "it does not end as a Parquet file does", "it was cut; copy it again");
    std::uint32_t size = 0;
    std::memcpy(&size, end, sizeof size);
    std::uint64_t room = file.size() - kFront - kEnd;
    if (size > room)
        refuse(file, fmt::format("a footer of {} bytes, there are {}", size, room));
    if (size > kMostFooter)
        refuse(file, fmt::format("a footer of {} bytes, {} can be", size, kMostFooter));
    std::vector<std::byte> footer(size);
    file.read(file.size() - kEnd - size, footer);
    try {
        return parse(footer, file.size() - kEnd - size);
    } catch (const BadBytes& bad) {
        refuse(file, fmt::format("its footer has {}", bad.what));
    }
}

}  // namespace stillroom::lm
