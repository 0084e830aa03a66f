#include "plugins/lm/data/indexed_writer.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGolden = "3f86d8b51d9ce3f0962a40d1948215874c708993fd205d40af71059494ede356";
const std::string kTokens{"\1\0\2\0\3\0\4\0\5\0\6\0", 12};

using Ids = std::vector<std::uint32_t>;

std::string text_of(const fs::path& file) {
    return read_file(file, std::size_t{1} << 30);
}

TEST_CASE("three documents become the bytes that Megatron writes") {
    TemporaryFolder folder;
    IndexedWriter writer(folder / "d", token_type_for(65499));
    writer.add_document(Ids{1, 2, 3});
    writer.add_document(Ids{4, 5});
    writer.add_document(Ids{6});
    CHECK(!fs::exists(folder / "d.idx"));
    writer.close();
    CHECK(text_of(folder / "d.bin") == kTokens);
    CHECK(sha256_hex(text_of(folder / "d.idx")) == kGolden);
    CHECK(writer.documents() == 3);
    CHECK(writer.tokens() == 6);
}

TEST_CASE("documents that are encoded already, one by one or sequence by sequence, give the same") {
    TemporaryFolder folder;
    IndexedWriter encoded(folder / "a", TokenType::u16);
    std::vector<std::int32_t> lengths{3, 2, 1};
    encoded.add_documents(lengths, std::as_bytes(std::span(kTokens)));
    encoded.close();
    CHECK(sha256_hex(text_of(folder / "a.idx")) == kGolden);
    IndexedWriter split(folder / "b", TokenType::u16);
    split.add_document(Ids{1, 2, 3});
    split.add_sequence(Ids{4, 5});
    split.end_document();
    split.add_documents(std::vector<std::int32_t>{1},
                        std::as_bytes(std::span(kTokens)).subspan(10));
    split.close();
    CHECK(sha256_hex(text_of(folder / "b.idx")) == kGolden);
    CHECK_THROWS_AS(encoded.add_documents(lengths, {}), Error);
}

TEST_CASE("documents of several sequences, of none and of no tokens are read back") {
    TemporaryFolder folder;
    IndexedWriter writer(folder / "d", TokenType::i32);
    writer.add_document({});
    writer.add_sequence(Ids{70000});
    writer.add_sequence(Ids{1, 2});
    writer.end_document();
    writer.end_document();
    writer.add_document(Ids{3});
    writer.close();
    IndexedDataset data = IndexedDataset::open(folder / "d");
    CHECK(data.type() == TokenType::i32);
    CHECK(data.sequences() == 4);
    CHECK(std::vector(data.document_bounds().begin(), data.document_bounds().end()) ==
          std::vector<std::int64_t>{0, 1, 3, 3, 4});
    std::vector<std::int32_t> tokens(4);
    data.read(0, tokens, 100000);
    CHECK(tokens == std::vector<std::int32_t>{70000, 1, 2, 3});
}

TEST_CASE(
    "the smallest vocabulary of four bytes is 65,500, and an id that two do not hold is refused") {
    CHECK(token_type_for(65499) == TokenType::u16);
    CHECK(token_type_for(65500) == TokenType::i32);
    TemporaryFolder folder;
    IndexedWriter writer(folder / "d", TokenType::u16);
    writer.add_document(Ids{65535});
    CHECK_THROWS_WITH_AS(writer.add_document(Ids{1, 65536}),
                         doctest::Contains("token 1 of document 1 is 65536"),
                         Error);
}

TEST_CASE("without close there is no dataset, and one that is there is not written over") {
    TemporaryFolder folder;
    { IndexedWriter(folder / "d", TokenType::u16).add_document(Ids{1}); }
    CHECK(!fs::exists(folder / "d.bin"));
    CHECK(!fs::exists(folder / "d.idx"));
    IndexedWriter(folder / "d", TokenType::u16).close();
    CHECK(IndexedDataset::open(folder / "d").documents() == 0);
    CHECK_THROWS_AS(IndexedWriter(folder / "d", TokenType::u16), Error);
}

}  // namespace
}  // namespace stillroom::lm
