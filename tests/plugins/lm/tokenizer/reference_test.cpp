// Small tokenizers of each kind and nasty strings, against what the library tokenizers made of them
// (tests/reference/tokenizer).

#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/tokenizer/stream_decoder.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

const std::string kFolder = STILLROOM_REFERENCE "/tokenizer/";

std::vector<std::uint32_t> ids_of(const Json& list) {
    std::vector<std::uint32_t> out;
    for (const Json& id : list.list())
        out.push_back(static_cast<std::uint32_t>(id.integer()));
    return out;
}

std::vector<Bounds> bounds_of(const Json& list) {
    std::vector<Bounds> out;
    for (const Json& pair : list.list())
        out.push_back({static_cast<std::uint32_t>(pair.list()[0].integer()),
                       static_cast<std::uint32_t>(pair.list()[1].integer())});
    return out;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<std::uint32_t>& ids, bool skip) {
    StreamDecoder decoder(tokenizer, skip);
    std::string out;
    for (std::uint32_t id : ids)
        out += decoder.push(id);
    return out + decoder.finish();
}

void check(const std::string& name) {
    Tokenizer tokenizer = Tokenizer::read(kFolder + name + ".json");
    Json cases = Json::parse(read_file(kFolder + name + ".cases.json", std::size_t{1} << 20));
    CHECK(cases.list().size() > 100);
    EncodeOptions all, plain;
    all.allow_special = true;
    plain.add_special = false;
    EncodeScratch scratch;
    for (const Json& row : cases.list()) {
        const std::vector<Json>& item = row.list();
        const std::string& text = item[0].string();
        CAPTURE(text);
        std::vector<std::uint32_t> ids = ids_of(item[1]);
        Encoding encoding = tokenizer.encode_with_bounds(text, all);
        CHECK(encoding.ids == ids);
        CHECK(encoding.bounds == bounds_of(item[3]));
        CHECK(tokenizer.encode(text, all) == ids);
        CHECK(tokenizer.encode(text, plain) == ids_of(item[2]));
        std::vector<std::uint32_t> remembered{7};
        tokenizer.encode(text, all, scratch, remembered);
        CHECK(remembered[0] == 7);
        CHECK(std::equal(ids.begin(), ids.end(), remembered.begin() + 1, remembered.end()));
        CHECK(tokenizer.decode(ids) == item[4].string());
        CHECK(tokenizer.decode(ids, true) == item[5].string());
        CHECK(streamed(tokenizer, ids, false) == item[4].string());
    }
}

/// Ids alone, without any around the text, and the text that they give.
void check_ids(const std::string& file, const std::string& name) {
    Tokenizer tokenizer = Tokenizer::read(kFolder + file);
    Json cases = Json::parse(read_file(kFolder + name + ".ids.json", std::size_t{1} << 20));
    CHECK(cases.list().size() > 100);
    EncodeOptions plain;
    plain.add_special = false;
    for (const Json& row : cases.list()) {
        const std::vector<Json>& item = row.list();
        const std::string& text = item[0].string();
        CAPTURE(text);
        std::vector<std::uint32_t> ids = ids_of(item[1]);
        CHECK(tokenizer.encode(text, plain) == ids);
        CHECK(tokenizer.encode_with_bounds(text, plain).ids == ids);
        std::string wanted = item[2].is_null() ? text : item[2].string();
        CHECK(tokenizer.decode(ids) == wanted);
    }
}

}  // namespace

TEST_CASE("ids of ranked tokens are tiktoken's") {
    check_ids("ranks.tiktoken", "ranks");
    check_ids("tekken", "tekken");
}

TEST_CASE("ids and text of a .model are SentencePiece's") {
    for (std::string name : {"sp_unigram", "sp_bpe", "sp_plain", "sp_suffix"}) {
        CAPTURE(name);
        check_ids(name + ".model", name);
    }
}

TEST_CASE(
    "a text over a limit loses what the library takes from it, before specials go around it") {
    Json cases = Json::parse(read_file(kFolder + "truncated.json", std::size_t{1} << 20));
    CHECK(cases.list().size() > 500);
    EncodeScratch scratch;
    for (const Json& row : cases.list()) {
        const std::vector<Json>& item = row.list();
        Tokenizer tokenizer = Tokenizer::read(kFolder + item[0].string() + ".json");
        const std::string& text = item[1].string();
        EncodeOptions options;
        options.allow_special = true;
        options.max_tokens = static_cast<std::size_t>(item[2].integer());
        options.drop_front = item[3].boolean();
        CAPTURE(item[0].string());
        CAPTURE(text);
        CAPTURE(options.max_tokens);
        Encoding encoding = tokenizer.encode_with_bounds(text, options);
        CHECK(encoding.ids == ids_of(item[4]));
        CHECK(encoding.bounds == bounds_of(item[5]));
        std::vector<std::uint32_t> remembered;
        tokenizer.encode(text, options, scratch, remembered);
        CHECK(remembered == encoding.ids);
    }
}

#define STILLROOM_SAME(name)                                          \
    TEST_CASE("ids, bounds and text of " name " are the library's") { \
        check(name);                                                  \
    }

STILLROOM_SAME("llama3")
STILLROOM_SAME("qwen35")
STILLROOM_SAME("o200k")
STILLROOM_SAME("deepseek")
STILLROOM_SAME("smollm")
STILLROOM_SAME("gpt2")
STILLROOM_SAME("sentencepiece_bpe")
STILLROOM_SAME("unknown_bytes")
STILLROOM_SAME("no_unknown")
STILLROOM_SAME("metaspace_bpe")
STILLROOM_SAME("unigram")
STILLROOM_SAME("unigram_unknown")
STILLROOM_SAME("bert")
STILLROOM_SAME("mixed_splits")
STILLROOM_SAME("scripts")
STILLROOM_SAME("roberta")
