// Any bytes go in as a SentencePiece .model. What is refused is refused as a bad file. What is read
// gives ids of its pieces for any text, and text for them.

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/tokenizer.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    try {
        Tokenizer tokenizer = Tokenizer::parse_sentencepiece(input, "tokenizer.model");
        for (const char* text : {"", "  ", "Hello  world <s> ab ", "é 中文 😀\u200d\u0301 x\n\t"}) {
            std::vector<std::uint32_t> ids = tokenizer.encode(text);
            require(tokenizer.encode_with_bounds(text).ids == ids, "bounds change no id");
            for (std::uint32_t id : ids)
                require(tokenizer.token_of(id).has_value(), "each id has its piece");
            (void)tokenizer.decode(ids);
        }
    } catch (const Error& error) {
        require(error.exit_code() == kExitBadInput, "a bad file is a bad input");
    }
    return 0;
}
