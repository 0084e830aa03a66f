#include "plugins/lm/data/parquet.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/sha256.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;
using Kind = ParquetColumn::Kind;

const fs::path kFolder = fs::path(STILLROOM_REFERENCE) / "data/parquet";

/// As make_parquet.py spells values.
std::string spell(const ParquetValue& value, Kind kind) {
    if (value.null)
        return "N\n";
    switch (kind) {
        case Kind::text:
            return fmt::format("T{}:{}\n", value.text.size(), value.text);
        case Kind::boolean:
            return fmt::format("B{}\n", value.integer);
        case Kind::integer:
            return fmt::format("I{}\n", value.integer);
        default:
            break;
    }
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value.real, sizeof bits);
    return fmt::format("R{:016x}\n", bits);
}

std::string digest_of_column(const ParquetFile& file, const std::string& name) {
    const ParquetColumn& column = file.column(name);
    ParquetReader reader(file, name, column.kind);
    PlainSha256 hash;
    std::int64_t rows = 0;
    for (; reader.next(); ++rows) {
        if (reader.is_null()) {
            hash.add("N\n");
            continue;
        }
        if (column.list)
            hash.add(fmt::format("L{}\n", reader.items().size()));
        for (const ParquetValue& item : reader.items())
            hash.add(spell(item, column.kind));
    }
    CHECK(rows == file.rows());
    std::string hex;
    for (unsigned char byte : hash.take())
        hex += fmt::format("{:02x}", byte);
    return hex;
}

TEST_CASE(
    "a table comes out as it went in, whatever codec, encoding and pages it was written with") {
    Json expected = Json::parse(read_file(kFolder / "expected.json", 1 << 20));
    for (const char* name : {"plain",
                             "dictionary",
                             "snappy",
                             "gzip",
                             "zstd",
                             "pages-v2",
                             "pages-v2-snappy",
                             "pages-v2-zstd-plain",
                             "fallback",
                             "checksums",
                             "delta",
                             "old-lists"}) {
        CAPTURE(name);
        ParquetFile file = ParquetFile::open(kFolder / (std::string(name) + ".parquet"));
        CHECK(file.rows() == expected.at("rows").integer());
        for (const Json::Member& column : expected.at("columns").map()) {
            CAPTURE(column.key);
            CHECK(digest_of_column(file, column.key) == column.value.string());
        }
    }
}

TEST_CASE("several columns are read together, by short names and by whole paths") {
    ParquetFile file = ParquetFile::open(kFolder / "snappy.parquet");
    ParquetReader questions(file, "train.question", Kind::text);
    ParquetReader choices(file, "train.choices.list.element", Kind::text);
    ParquetReader answers(file, "train.answer", Kind::integer);
    for (std::int64_t row = 0; row < file.rows(); ++row) {
        REQUIRE((questions.next() && choices.next() && answers.next()));
        CHECK(answers.row() == row);
        CHECK(answers.is_null() == (row % 19 == 3));
        if (!answers.is_null())
            CHECK(answers.integer() == row);
    }
    CHECK(!(questions.next() || choices.next() || answers.next()));
    CHECK(ParquetFile::open(kFolder / "empty.parquet").rows() == 0);
    ParquetReader none(ParquetFile::open(kFolder / "empty.parquet"), "text", Kind::text);
    CHECK(!none.next());
}

std::string refusal(const fs::path& path, const std::string& name, Kind kind) {
    try {
        ParquetReader reader(ParquetFile::open(path), name, kind);
        while (reader.next()) {
        }
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return error.render();
    }
    return "";
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_CASE("D3: what is not read is refused by name, and only where it is asked for") {
    auto refused = [](const char* file, const char* column, Kind kind = Kind::text) {
        return refusal(kFolder / file, column, kind);
    };
    CHECK(says(refused("other-codec.parquet", "text"), "Brotli"));
    CHECK(says(refused("other-codec-lz4.parquet", "text"), "LZ4"));
    CHECK(says(refused("lists-of-lists.parquet", "deep"), "list of lists"));
    CHECK(refused("lists-of-lists.parquet", "text").empty());
    CHECK(says(refused("fixed.parquet", "hash", Kind::other), "FIXED_LEN_BYTE_ARRAY"));
    CHECK(refused("fixed.parquet", "text").empty());
    CHECK(says(refused("split-bytes.parquet", "number", Kind::real), "BYTE_STREAM_SPLIT"));
    CHECK(says(refused("plain.parquet", "test"), "did you mean 'text'?"));
    CHECK(
        says(refused("plain.parquet", "train"), "train.question, train.choices and train.answer"));
    CHECK(says(refused("fixed.parquet", "zzzzzz"), "it has text and hash"));
    CHECK(says(refused("plain.parquet", "text", Kind::integer), "holds text, whole numbers is"));
}

/// A file of ours, changed.
std::string changed(const std::string& bytes, std::size_t at, std::string_view with) {
    std::string out = bytes;
    out.replace(at, with.size(), with);
    return out;
}

TEST_CASE("D3: a footer that lies is refused before anything is allocated") {
    TemporaryFolder folder;
    std::string sound = read_file(kFolder / "snappy.parquet", 1 << 20);
    auto refused = [&](const std::string& bytes) {
        return refusal(folder.write("a.parquet", bytes), "text", Kind::text);
    };
    std::size_t end = sound.size();
    CHECK(refused(sound).empty());
    CHECK(says(refused(changed(sound, 0, "PARX")), "does not begin as"));
    CHECK(says(refused(changed(sound, end - 4, "PARX")), "does not end as"));
    CHECK(says(refused(changed(sound, end - 4, "PARE")), "encrypted"));
    CHECK(says(refused(changed(sound, end - 8, "\xff\xff\xff\x7f")), "a footer of 2147483647"));
    CHECK(says(refused(sound.substr(0, 11)), "11 bytes are no Parquet file"));
    CHECK(says(refused(sound.substr(0, end - 1)), "does not end as"));
    CHECK(!refused(changed(sound, end - 8, std::string_view("\x10\0\0\0", 4))).empty());
}

TEST_CASE("D3: a file with any one byte changed is read or refused, never worse") {
    TemporaryFolder folder;
    for (const char* name : {"snappy", "delta", "checksums"}) {
        std::string sound = read_file(kFolder / (std::string(name) + ".parquet"), 1 << 20);
        int refused = 0, tried = 0;
        for (std::size_t at = 0; at < sound.size(); at += 97, ++tried) {
            fs::path path = folder.write(
                "a.parquet",
                changed(sound, at, std::string(1, static_cast<char>(sound[at] ^ 0x55))));
            refused += !refusal(path, "text", Kind::text).empty();
            refusal(path, "choices", Kind::text);
            refusal(path, "number", Kind::integer);
        }
        CHECK(refused > tried / 50);
    }
}

}  // namespace
}  // namespace stillroom::lm
