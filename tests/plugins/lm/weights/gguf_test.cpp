#include "plugins/lm/weights/gguf.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <string>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(STILLROOM_REFERENCE) / "../fuzz/corpus/gguf";

/// What is said of a file, without the path.
std::string said_of(const fs::path& path) {
    try {
        GgufFile::open(path);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        std::string start = "cannot read " + path.string() + ": ";
        REQUIRE(std::string(error.what()).starts_with(start));
        return std::string(error.what()).substr(start.size());
    }
    return "nothing";
}

TEST_CASE("a GGUF file's keys have their kinds and values") {
    for (const char* name : {"good", "good-version-2"}) {
        GgufFile file = GgufFile::open(kCorpus / name);
        CHECK(file.values().size() == 15);
        CHECK(file.integer("a.u8") == 200);
        CHECK(file.integer("a.i8") == -2);
        CHECK(file.integer("a.u16") == 60000);
        CHECK(file.integer("a.i16") == -3);
        CHECK(file.integer("a.u32") == 4294967295);
        CHECK(file.integer("a.i32") == -4);
        CHECK(file.integer("a.u64") == 1099511627776);
        CHECK(file.integer("a.i64") == -5);
        CHECK(file.number("a.f32") == 1.5);
        CHECK(file.number("a.f64") == 0.1);
        CHECK(file.number("a.u8") == 200.0);
        CHECK(file.boolean("a.bool") == true);
        CHECK(file.text("a.text") == "naïve");
        CHECK(*file.texts("b.texts") == std::vector<std::string_view>{"x", "", "yz"});
        CHECK(file.numbers("b.numbers")->count == 2);
        CHECK(file.numbers("b.numbers")->integer(1) == -1);
        CHECK_FALSE(file.numbers("b.numbers")->integer(2));
        CHECK(file.numbers("b.none")->count == 0);
        CHECK_FALSE(file.text("absent"));
    }
    CHECK(GgufFile::open(kCorpus / "good").version() == 3);
    CHECK(GgufFile::open(kCorpus / "good-version-2").version() == 2);
}

TEST_CASE("a key of another kind than the one asked for is refused by its name") {
    GgufFile file = GgufFile::open(kCorpus / "good");
    CHECK_THROWS_AS((void)file.text("a.u8"), const Error&);
    CHECK_THROWS_AS((void)file.integer("a.text"), const Error&);
    CHECK_THROWS_AS((void)file.integer("a.f32"), const Error&);
    CHECK_THROWS_AS((void)file.integer("a.bool"), const Error&);
    CHECK_THROWS_AS((void)file.number("b.numbers"), const Error&);
    CHECK_THROWS_AS((void)file.boolean("a.u8"), const Error&);
    CHECK_THROWS_AS((void)file.texts("b.numbers"), const Error&);
    CHECK_THROWS_AS((void)file.numbers("b.texts"), const Error&);
}

TEST_CASE("tensors have torch's shapes and lie where the header says") {
    GgufFile file = GgufFile::open(kCorpus / "good");
    REQUIRE(file.tensors().size() == 2);
    const GgufTensor* one = file.tensor("one");
    const GgufTensor* two = file.tensor("two");
    REQUIRE(one);
    REQUIRE(two);
    CHECK(one->shape == Shape{2, 3});
    CHECK(one->type->name == "F32");
    CHECK(one->bytes == 24);
    CHECK(two->type->name == "Q8_0");
    CHECK(two->bytes == 34);
    CHECK(two->offset == one->offset + 32);
    CHECK(one->offset % 32 == 0);
    CHECK_FALSE(file.tensor("three"));
    std::array<std::byte, 34> bytes;
    file.read(*two, 0, bytes);

    GgufFile wide = GgufFile::open(kCorpus / "good-alignment-64");
    CHECK(wide.tensor("one")->offset % 64 == 0);
    CHECK(wide.tensor("two")->offset == wide.tensor("one")->offset + 64);
    CHECK(GgufFile::open(kCorpus / "good-empty").tensors().empty());
}

TEST_CASE("M17: each attack on the header is refused with its own words") {
    const std::map<std::string, std::string> words = {
        {"magic", "it is no GGUF file: its first bytes are not 'GGUF'"},
        {"short-magic", "the magic number takes 4 bytes at offset 0, where 2 are left"},
        {"nothing", "the magic number takes 4 bytes at offset 0, where 0 are left"},
        {"version-0", "GGUF version 0 is not known, 2 and 3 are"},
        {"version-1", "GGUF version 1 is not known"},
        {"version-99", "GGUF version 99 is not known"},
        {"big-endian", "it is a big-endian GGUF file"},
        {"many-keys", "it claims 1152921504606846976 keys"},
        {"many-tensors", "it claims 1152921504606846976 tensors"},
        {"many-tensors-overflow", "it claims 18446744073709551615 tensors"},
        {"long-string", "the value of 'a' takes 9223372036854775808 bytes"},
        {"long-key", "the name of key 0 takes 18446744073709551615 bytes"},
        {"empty-key", "the name of key 0 has 0 bytes"},
        {"key-not-utf8", "the name of key 0 is not UTF-8"},
        {"nested-array", "'a' is an array of arrays"},
        {"array-too-long", "'a' claims 2305843009213693953 items"},
        {"texts-too-long", "'a' claims 2305843009213693953 items"},
        {"array-of-unknown", "'a' is an array of the unknown type 13"},
        {"unknown-kind", "the value of 'a' is of the unknown type 13"},
        {"bool-7", "'a' holds the bool 7"},
        {"bool-7-in-array", "'a' holds the bool 7"},
        {"alignment-0", "general.alignment is 0, not a power of two"},
        {"alignment-3", "general.alignment is 3, not a power of two"},
        {"alignment-huge", "general.alignment is 1099511627776, not a power of two"},
        {"alignment-text", "general.alignment is no integer"},
        {"key-twice", "the key 'a' is there twice"},
        {"tensor-twice", "the tensor 'one' is there twice"},
        {"dims-5", "tensor 'one' has 5 dimensions, more than 4"},
        {"dim-0", "tensor 'one' has the size 0"},
        {"dim-minus-1", "tensor 'one' has the size -1"},
        {"dims-overflow", "tensor 'one' has more than 2^63 values"},
        {"bytes-overflow", "tensor 'one' with the shape [4611686018427387904] in F32 does not fit"},
        {"type-999", "tensor 'one' is of the unknown type 999"},
        {"row-no-block", "tensor 'one' has rows of 33 values, and Q8_0 stores blocks of 32"},
        {"scalar-block", "tensor 'one' has rows of 1 values, and Q8_0 stores blocks of 32"},
        {"offset-lie", "tensor 'two' lies at offset 64 of the data, not at 32"},
        {"offset-overlap", "tensor 'two' lies at offset 0 of the data, not at 32"},
        {"offset-huge", "tensor 'one' lies at offset 18446744073709551584 of the data, not at 0"},
        {"data-short", "tensor 'one' ends at byte 76, and the file has 75"},
        {"data-far-too-short", "tensor 'one' with the shape [4096, 4096] in F32 does not fit"},
        {"data-missing", "tensor 'one' ends at byte 76, and the file has 61"},
        {"tail", "21 bytes follow the last tensor"},
        {"name-empty", "the name of tensor 0 has 0 bytes, not 1 to 63"},
        {"name-long", "the name of tensor 0 has 64 bytes, not 1 to 63"},
        {"name-not-utf8", "the name of tensor 0 is not UTF-8"},
        {"cut-in-infos", "the header takes 4 bytes at offset 82, where 3 are left"},
    };
    std::set<std::string> seen;
    for (const auto& [name, expected] : words) {
        CAPTURE(name);
        std::string said = said_of(kCorpus / name);
        CHECK_MESSAGE(said.starts_with(expected), said);
    }
    for (const std::string& name : list_folder(kCorpus))
        CHECK_MESSAGE((words.contains(name) || name.starts_with("good")), name);
}

TEST_CASE("M17: a file cut anywhere is refused") {
    TemporaryFolder folder;
    std::string whole = read_file(kCorpus / "good", 1 << 20);
    // Without the padding behind the last tensor it is whole.
    for (std::size_t size = 0; size < whole.size() - 30; ++size) {
        fs::path cut = folder.write("cut", whole.substr(0, size));
        CHECK_THROWS_AS(GgufFile::open(cut), const Error&);
    }
    GgufFile::open(folder.write("cut", whole.substr(0, whole.size() - 30)));
}

TEST_CASE("a header longer than the first read is read as a whole") {
    TemporaryFolder folder;
    std::string text(5 << 20, 'x');
    auto number = [](auto value) {
        return std::string(reinterpret_cast<const char*>(&value), sizeof value);
    };
    std::string bytes = "GGUF" + number(std::uint32_t{3}) + number(std::uint64_t{0}) +
                        number(std::uint64_t{1}) + number(std::uint64_t{1}) + "k" +
                        number(std::uint32_t{8}) + number(std::uint64_t{text.size()}) + text;
    CHECK(GgufFile::open(folder.write("long", bytes)).text("k") == text);
}

TEST_CASE("M16: a GGUF file that shrinks after it was opened is an error when it is read") {
    TemporaryFolder folder;
    fs::path path = folder.write("a", read_file(kCorpus / "good", 1 << 20));
    GgufFile file = GgufFile::open(path);
    fs::resize_file(path, file.tensor("two")->offset + 33);
    std::array<std::byte, 34> bytes;
    CHECK_THROWS_AS(file.read(*file.tensor("two"), 0, bytes), const Error&);
    CHECK(file.text("a.text") == "naïve");
}

}  // namespace
}  // namespace stillroom::lm
