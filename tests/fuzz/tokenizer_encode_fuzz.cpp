// The first byte picks one of the small tokenizers of tests/reference, the rest is text, or ids
// where that byte is over 127. Encoding agrees with itself, whatever is remembered; bounds lie in
// the text; decoding streams.

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/stream_decoder.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

constexpr std::array kNames = {"llama3.json",
                               "qwen35.json",
                               "o200k.json",
                               "deepseek.json",
                               "smollm.json",
                               "gpt2.json",
                               "sentencepiece_bpe.json",
                               "unknown_bytes.json",
                               "no_unknown.json",
                               "metaspace_bpe.json",
                               "unigram.json",
                               "unigram_unknown.json",
                               "bert.json",
                               "mixed_splits.json",
                               "roberta.json",
                               "ranks.tiktoken",
                               "tekken/tekken.json",
                               "sp_unigram.model",
                               "sp_bpe.model",
                               "sp_plain.model",
                               "sp_suffix.model"};

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

const Tokenizer& tokenizer_at(std::size_t index) {
    static std::array<std::optional<Tokenizer>, kNames.size()> open;
    std::optional<Tokenizer>& place = open[index % kNames.size()];
    if (!place)
        place = Tokenizer::read(std::string(STILLROOM_REFERENCE "/tokenizer/") +
                                kNames[index % kNames.size()]);
    return *place;
}

void check_ids(const Tokenizer& tokenizer, std::vector<std::uint32_t> ids) {
    for (std::uint32_t& id : ids)
        id %= static_cast<std::uint32_t>(tokenizer.vocab_size());
    StreamDecoder stream(tokenizer);
    std::string out;
    for (std::uint32_t id : ids)
        out += stream.push(id);
    require(out + stream.finish() == tokenizer.decode(ids), "a stream says what decode says");
}

void check_text(const Tokenizer& tokenizer, const std::string& text) {
    static EncodeScratch scratch;
    for (bool allow : {false, true}) {
        EncodeOptions options;
        options.allow_special = allow;
        Encoding encoding = tokenizer.encode_with_bounds(text, options);
        std::vector<std::uint32_t> ids;
        tokenizer.encode(text, options, scratch, ids);
        require(ids == encoding.ids, "neither bounds nor memory change an id");
        require(encoding.bounds.size() == ids.size(), "each id has its bounds");
        for (const Bounds& bounds : encoding.bounds)
            require(bounds.begin <= bounds.end && bounds.end <= text.size(),
                    "bounds are in the text");
        check_ids(tokenizer, ids);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const Tokenizer& tokenizer = tokenizer_at(data[0] & 127);
    std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] > 127) {
        std::vector<std::uint32_t> ids(rest.size() / 2);
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i] = static_cast<unsigned char>(rest[2 * i]) |
                     static_cast<std::uint32_t>(static_cast<unsigned char>(rest[2 * i + 1])) << 8;
        check_ids(tokenizer, ids);
        return 0;
    }
    try {
        check_text(tokenizer, rest);
    } catch (const Error& error) {
        require(error.exit_code() == kExitBadInput, "a text is refused as a bad input");
    }
    return 0;
}
