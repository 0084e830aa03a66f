#include "plugins/lm/data/dataset_folder.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "plugins/lm/data/indexed_writer.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::uint32_t>;

DatasetInfo two_parts() {
    DatasetInfo info;
    info.parts = {{"a_document", "a", 0.7, Count::exactly(2), Count::exactly(5)},
                  {"/elsewhere/b", "", 0.3, {1, 9}, {0, {}}}};
    info.tokenizer = "abc";
    info.vocabulary = 100;
    info.eod = 99;
    info.source = {"a \"name\".jsonl", "b"};
    return info;
}

TEST_CASE("what dataset.json says is read as it was written, ranges too") {
    TemporaryFolder folder;
    write_dataset_info(folder.path(), two_parts());
    DatasetInfo info = read_dataset_info(folder.path());
    REQUIRE(info.parts.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(info.parts[i].prefix == two_parts().parts[i].prefix);
        CHECK(info.parts[i].key == two_parts().parts[i].key);
        CHECK(info.parts[i].weight == two_parts().parts[i].weight);
        CHECK(info.parts[i].documents == two_parts().parts[i].documents);
        CHECK(info.parts[i].tokens == two_parts().parts[i].tokens);
    }
    CHECK(info.documents() == Count{3, 11});
    CHECK(info.tokens() == Count{5, {}});
    CHECK(info.tokenizer == "abc");
    CHECK(info.vocabulary == 100);
    CHECK(info.eod == 99);
    CHECK(info.source == two_parts().source);
}

TEST_CASE("a dataset.json that contradicts itself is refused with its name") {
    TemporaryFolder folder;
    write_dataset_info(folder.path(), two_parts());
    std::string sound = read_file(folder / "dataset.json", 1 << 20);
    auto refused = [&](std::string_view part, std::string_view with) {
        std::string text = sound;
        std::size_t at = text.find(part);
        REQUIRE(at != std::string::npos);
        text.replace(at, part.size(), with);
        write_file(folder / "dataset.json", text);
        try {
            read_dataset_info(folder.path());
        } catch (const Error& error) {
            CHECK(error.exit_code() == kExitBadInput);
            return error.render().find("dataset.json") != std::string::npos;
        }
        return false;
    };
    CHECK(refused("\"format\": 1", "\"format\": 2"));
    CHECK(refused("0.7", "0"));
    CHECK(refused("0.7", "-1"));
    CHECK(refused("0.7,", ""));
    CHECK(refused("\"a_document\",", ""));
    CHECK(refused("\"a_document\"", "\"\""));
    CHECK(refused("\"most\": 9", "\"most\": 0"));
    CHECK(refused("\"least\": 1,", "\"least\": -1,"));
    CHECK(refused("\"eod\": 99", "\"eod\": 100"));
    CHECK(refused("\"vocabulary\": 100", "\"vocabulary\": 0"));
    CHECK(refused("{", "[{"));
}

TEST_CASE("every part is opened, and its counts must be what dataset.json says") {
    TemporaryFolder folder;
    IndexedWriter writer(folder / "a_document", TokenType::u16);
    writer.add_document(Ids{1, 2, 3});
    writer.add_document(Ids{4, 5});
    writer.close();
    DatasetInfo info = two_parts();
    info.parts[1] = {folder / "a_document", "a", 0.3, {}, {1, 9}};
    write_dataset_info(folder.path(), info);
    DatasetFolder data = open_dataset(folder.path());
    CHECK(data.tokens() == 10);
    CHECK(data.documents() == 4);
    CHECK(data.vocabulary(7) == 100);

    info.parts[0].tokens = Count::exactly(6);
    write_dataset_info(folder.path(), info);
    CHECK_THROWS_WITH_AS(open_dataset(folder.path()),
                         doctest::Contains("holds 5 tokens, dataset.json says 6"),
                         Error);
    info.parts[0].tokens = Count::exactly(5);
    info.parts[1].prefix = folder / "gone";
    write_dataset_info(folder.path(), info);
    CHECK_THROWS_WITH_AS(
        open_dataset(folder.path()), doctest::Contains("gone.idx is not there any more"), Error);
}

}  // namespace
}  // namespace stillroom::lm
