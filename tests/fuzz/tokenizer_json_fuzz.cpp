// Any bytes go in as a tokenizer.json. What is refused is refused as a bad file. What is read knows
// each of its tokens both ways, encodes the same with and without bounds and a memory, keeps the
// bounds inside the text, and streams what it decodes.

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/stream_decoder.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void check_text(const Tokenizer& tokenizer, const std::string& text) {
    EncodeOptions options;
    options.allow_special = text.size() % 2 == 0;
    Encoding encoding = tokenizer.encode_with_bounds(text, options);
    EncodeScratch scratch;
    std::vector<std::uint32_t> ids;
    tokenizer.encode(text, options, scratch, ids);
    require(ids == encoding.ids, "bounds change no id");
    ids.clear();
    tokenizer.encode(text, options, scratch, ids);
    require(ids == encoding.ids, "what is remembered changes no id");
    require(encoding.bounds.size() == ids.size(), "each id has its bounds");
    for (const Bounds& bounds : encoding.bounds)
        require(bounds.begin <= bounds.end && bounds.end <= text.size(), "bounds are in the text");
    StreamDecoder stream(tokenizer);
    std::string out;
    for (std::uint32_t id : ids)
        out += stream.push(id);
    require(out + stream.finish() == tokenizer.decode(ids), "a stream says what decode says");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    std::optional<Tokenizer> tokenizer;
    try {
        tokenizer = Tokenizer::parse(input, "tokenizer.json");
    } catch (const Error& error) {
        require(error.exit_code() == kExitBadInput, "a bad file is a bad input");
        return 0;
    }
    for (std::uint32_t id = 0; id < tokenizer->vocab_size() && id < 100; ++id)
        require(tokenizer->token_of(id).has_value(), "each id has its token");
    for (const char* text : {"",
                             " ",
                             "Hello world, it's 12345\n\n",
                             "a\u0301 é 中文 😀\u200d <s></s>",
                             "\u0130\u1E9B\u0323 \uFB01\t\r\n  x"}) {
        try {
            check_text(*tokenizer, text);
        } catch (const Error& error) {
            require(error.exit_code() == kExitBadInput, "a text is refused as a bad input");
        }
    }
    return 0;
}
