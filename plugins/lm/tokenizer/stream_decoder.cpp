#include "plugins/lm/tokenizer/stream_decoder.h"

#include "engine/base/error.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"

#include <fmt/format.h>

#include <utility>

namespace stillroom::lm {
namespace {

class Collect final : public DecoderStage {
public:
    void take(std::string_view text, bool, bool) override { out += text; }
    void finish() override {}

    std::string out;
};

}  // namespace

struct StreamDecoder::State {
    std::shared_ptr<const TokenizerParts> parts;
    bool skip_special = false;
    std::uint64_t count = 0;
    std::vector<std::unique_ptr<DecoderStage>> chain;
    Collect collect;
    DecoderStage* first = nullptr;
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : state_(std::make_unique<State>()) {
    state_->parts = tokenizer.parts();
    state_->skip_special = skip_special;
    state_->chain = state_->parts->decoder.chain();
    state_->first = state_->chain.empty() ? &state_->collect : state_->chain.front().get();
    if (!state_->chain.empty())
        state_->chain.back()->next = &state_->collect;
}

StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;

std::string StreamDecoder::push(std::uint32_t id) {
    const TokenizerParts& parts = *state_->parts;
    std::optional<std::string_view> token = parts.token_of(id);
    if (!token)
        throw Error({parts.file},
                    fmt::format("token {} of the text has the id {}, the vocabulary ends at {}",
                                state_->count,
                                id,
                                parts.id_end()))
            .exit_code(kExitBadInput);
    ++state_->count;
    if (!(state_->skip_special && parts.is_special(id)))
        state_->first->take(*token, true, true);
    return std::exchange(state_->collect.out, {});
}

std::string StreamDecoder::finish() {
    state_->first->finish();
    return std::exchange(state_->collect.out, {});
}

std::string Tokenizer::decode(std::span<const std::uint32_t> ids, bool skip_special) const {
    StreamDecoder decoder(*this, skip_special);
    std::string out;
    for (std::uint32_t id : ids)
        out += decoder.push(id);
    out += decoder.finish();
    return out;
}

}  // namespace stillroom::lm
