#include "plugins/lm/tokenizer/stream_decoder.h"

#include "engine/base/text.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

Tokenizer with_bytes(const std::string& decoder) {
    std::string vocab = R"("<unk>": 0, "▁a": 1, "b▁": 2)";
    for (int i = 0; i < 256; ++i) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(i));
        vocab += ", \"" + std::string(name) + "\": " + std::to_string(3 + i);
    }
    return Tokenizer::parse(R"({"model": {"type": "BPE", "vocab": {)" + vocab +
                                R"(}, "merges": [], "unk_token": "<unk>", "byte_fallback": true},
        "decoder": )" + decoder +
                                "}",
                            "tokenizer.json");
}

constexpr const char* kLlama2 = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

std::uint32_t byte(unsigned value) {
    return 3 + value;
}

}  // namespace

TEST_CASE("bytes that are no character are one U+FFFD each, of the whole run") {
    Tokenizer tokenizer = with_bytes(kLlama2);
    auto text = [&](std::vector<std::uint32_t> ids) { return tokenizer.decode(ids); };
    CHECK(text({byte(0xE4), byte(0xB8), byte(0xAD)}) == "中");
    CHECK(text({byte(0xE4), byte(0xB8)}) == "��");
    CHECK(text({byte(0xE4), byte(0xB8), byte(0xAD), byte(0xE4)}) == "����");
    CHECK(text({1, byte(0x41), 1}) == "aA a");
}

TEST_CASE("a stream gives whole characters, and no more than is certain") {
    Tokenizer tokenizer = with_bytes(kLlama2);
    StreamDecoder stream(tokenizer);
    CHECK(stream.push(1) == "a");
    CHECK(stream.push(byte(0xE4)).empty());
    CHECK(stream.push(byte(0xB8)).empty());
    CHECK(stream.push(byte(0xAD)).empty());
    CHECK(stream.push(2) == "中b ");
    CHECK(stream.push(byte(0xE4)).empty());
    CHECK(stream.finish() == "�");
}

TEST_CASE("what is stripped at the end waits for the end") {
    Tokenizer tokenizer = with_bytes(R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
        {"type": "Strip", "content": "▁", "start": 1, "stop": 1}]})");
    StreamDecoder stream(tokenizer);
    CHECK(stream.push(1) == "a");
    CHECK(stream.push(2) == "b");
    CHECK(stream.push(2) == "▁b");
    CHECK(stream.finish().empty());
    CHECK(tokenizer.decode(std::vector<std::uint32_t>{2, 2, 1}) == "b▁b▁▁a");
}
