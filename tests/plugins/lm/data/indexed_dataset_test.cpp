#include "plugins/lm/data/indexed_dataset.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <functional>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

/// The fields of an index, to be made wrong one by one.
struct Index {
    std::string magic{"MMIDIDX\0\0", 9};
    std::uint64_t version = 1;
    std::uint8_t type = 8;
    std::vector<std::int32_t> lengths{3, 2, 1};
    std::vector<std::int64_t> offsets{0, 6, 10};
    std::vector<std::int64_t> bounds{0, 1, 2, 3};
    std::uint64_t more_sequences = 0;

    std::string text() const {
        std::string out = magic;
        auto add = [&](const auto& value) {
            out.append(reinterpret_cast<const char*>(&value), sizeof value);
        };
        add(version), add(type);
        add(static_cast<std::uint64_t>(lengths.size()) + more_sequences);
        add(static_cast<std::uint64_t>(bounds.size()));
        for (std::int32_t one : lengths)
            add(one);
        for (std::int64_t one : offsets)
            add(one);
        for (std::int64_t one : bounds)
            add(one);
        return out;
    }
};

const std::string kTokens{"\1\0\2\0\3\0\4\0\5\0\6\0", 12};

void write(const fs::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary) << text;
}

std::string refusal(const Index& index, const std::string& tokens = kTokens) {
    TemporaryFolder folder;
    write(folder / "d.idx", index.text());
    write(folder / "d.bin", tokens);
    try {
        IndexedDataset::open(folder / "d");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return error.what();
    }
    return "";
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_CASE("a dataset is read as Megatron wrote it") {
    TemporaryFolder folder;
    std::string text = Index().text();
    REQUIRE(text.size() == 102);
    CHECK(sha256_hex(text) == "3f86d8b51d9ce3f0962a40d1948215874c708993fd205d40af71059494ede356");
    write(folder / "d.idx", text);
    write(folder / "d.bin", kTokens);
    for (const char* name : {"d", "d.idx", "d.bin"}) {
        IndexedDataset data = IndexedDataset::open(folder / name);
        CHECK(data.type() == TokenType::u16);
        CHECK(data.documents() == 3);
        CHECK(data.sequences() == 3);
        CHECK(data.tokens() == 6);
        CHECK(data.length(1) == 2);
        std::vector<std::int32_t> tokens(4);
        data.read(data.first_token(1) - 1, tokens, 100);
        CHECK(tokens == std::vector<std::int32_t>{3, 4, 5, 6});
    }
}

TEST_CASE("every token type that holds ids is read, and its sign is seen") {
    for (auto [type, width] : {std::pair{1, 1}, {2, 1}, {3, 2}, {8, 2}, {4, 4}, {5, 8}}) {
        TemporaryFolder folder;
        Index index;
        index.type = static_cast<std::uint8_t>(type);
        index.offsets = {0, 3 * width, 5 * width};
        std::string tokens;
        for (std::int64_t value : {0, 1, 2, 3, 4, -1})
            tokens.append(reinterpret_cast<const char*>(&value), static_cast<std::size_t>(width));
        write(folder / "d.idx", index.text());
        write(folder / "d.bin", tokens);
        IndexedDataset data = IndexedDataset::open(folder / "d");
        std::vector<std::int32_t> ids(5);
        data.read(0, ids, 5);
        CHECK(ids == std::vector<std::int32_t>{0, 1, 2, 3, 4});
        CHECK_THROWS_AS(data.read(0, ids, 4), Error);
        std::vector<std::int32_t> last(1);
        CHECK_THROWS_AS(data.read(5, last, 250), Error);  // -1, or 255 and 65535 without a sign
    }
}

TEST_CASE("D: an index that contradicts itself or its tokens is refused, and says where") {
    auto broken = [](const std::function<void(Index&)>& how) {
        Index index;
        how(index);
        return refusal(index);
    };
    CHECK(refusal(Index()).empty());
    CHECK(says(broken([](Index& i) { i.magic[0] = 'X'; }), "does not begin as"));
    CHECK(says(broken([](Index& i) { i.version = 2; }), "version 2"));
    CHECK(says(broken([](Index& i) { i.type = 9; }), "token type 9"));
    CHECK(says(broken([](Index& i) { i.type = 7; }), "floating point"));
    CHECK(says(broken([](Index& i) { i.lengths[1] = -2; }), "sequence 1 has -2"));
    CHECK(says(broken([](Index& i) { i.offsets[2] = 8; }), "begins at byte 8"));
    CHECK(says(broken([](Index& i) { i.bounds[0] = 1; }), "first document"));
    CHECK(says(broken([](Index& i) { i.bounds[1] = 3; }), "document 1 ends before"));
    CHECK(says(broken([](Index& i) { i.bounds[3] = 2; }), "end with sequence 2 of 3"));
    CHECK(says(broken([](Index& i) { i.bounds.clear(); }), "first document"));
    for (std::uint64_t more : {std::uint64_t{1}, std::uint64_t{1} << 40, ~std::uint64_t{0} - 3})
        CHECK(says(broken([&](Index& i) { i.more_sequences = more; }), "d.idx: "));
    CHECK(says(refusal(Index(), kTokens + "x"), "13 bytes, its index needs 12"));
    CHECK(says(refusal(Index(), ""), "0 bytes"));
}

TEST_CASE("an index that is cut anywhere is refused") {
    std::string text = Index().text();
    TemporaryFolder folder;
    write(folder / "d.bin", kTokens);
    for (std::size_t size = 0; size < text.size(); ++size) {
        write(folder / "d.idx", text.substr(0, size));
        CHECK_THROWS_AS(IndexedDataset::open(folder / "d"), Error);
    }
}

}  // namespace
}  // namespace stillroom::lm
