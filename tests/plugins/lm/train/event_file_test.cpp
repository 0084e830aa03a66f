#include "plugins/lm/train/event_file.h"

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <limits>

using namespace stillroom;
using lm::EventFile;

namespace {

std::string hex(std::string_view bytes) {
    std::string out;
    for (char byte : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return out;
}

}  // namespace

TEST_CASE("the check sum is Castagnoli's") {
    CHECK(lm::crc32c("123456789") == 0xe3069283U);
    CHECK(lm::crc32c("") == 0);
}

TEST_CASE("an event file has TensorBoard's bytes") {
    TemporaryFolder folder;
    EventFile events(folder.path() / "tb" / "healed", 1.0);
    events.add({{"loss", 2.5F}}, 7, 1.0);
    CHECK(events.trouble().empty());
    CHECK(hex(read_file(events.path(), 1000)) ==
          "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a"
          "1a00000000000000129bd82d09000000000000f03f10072a0d0a0b0a046c6f7373150000204087ccc43d");
}

TEST_CASE("a run that goes on opens a file of its own") {
    TemporaryFolder folder;
    EventFile first(folder.path(), 1.0), second(folder.path(), 1.0);
    CHECK(first.path() != second.path());
    CHECK(first.path().filename().native().starts_with("events.out.tfevents.1."));
}

TEST_CASE("TensorBoard's own writer makes the same bytes, also of a run that goes on") {
    Json oracle = Json::parse(read_file(STILLROOM_REFERENCE "/tensorboard/events.json", 10000));
    TemporaryFolder folder;
    EventFile first(folder.path(), 1.0);
    for (std::int64_t step : {100, 200, 300, 301, 302})
        first.add({{"lm loss", 5}}, step, 1.0);
    CHECK(hex(read_file(first.path(), 1000)) == oracle.at("first").string());
    EventFile resumed(folder.path(), 1.0, 301);
    resumed.add(
        {{"lm loss", 2.5F}, {"throughput", std::numeric_limits<float>::infinity()}}, 301, 2.0);
    CHECK(hex(read_file(resumed.path(), 1000)) == oracle.at("resumed").string());
}

TEST_CASE("curves that cannot be written end nothing") {
    TemporaryFolder folder;
    write_file(folder.path() / "tb", "a file");
    EventFile events(folder.path() / "tb", 1.0);
    events.add({{"loss", 1}}, 1, 1.0);
    CHECK_FALSE(events.trouble().empty());
}
