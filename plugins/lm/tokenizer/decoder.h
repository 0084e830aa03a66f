#pragma once

#include "plugins/lm/tokenizer/component.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Takes tokens one by one and passes on what is certain: the same code decodes a whole list and a
/// stream. A token may be passed on in fragments: `first` and `last` say which of them this is.
class DecoderStage {
public:
    virtual ~DecoderStage();
    virtual void take(std::string_view text, bool first, bool last) = 0;
    virtual void finish() = 0;  ///< no token follows

    DecoderStage* next = nullptr;
};

/// Makes text of tokens, in steps. Const and thread-safe; each decoding has its own chain.
class Decoder {
public:
    using Make = std::function<std::unique_ptr<DecoderStage>()>;

    /// Of a tokenizer.json; null is none: tokens with a blank between them.
    static Decoder read(const Json& value, const ComponentReader& reader);

    /// Of one stage that another reader makes.
    static Decoder of(Make make);

    /// The stages of one decoding, each with its `next` but the last.
    std::vector<std::unique_ptr<DecoderStage>> chain() const;

private:
    void read_into(const Json& value, const ComponentReader& reader, int depth);

    std::vector<Make> steps_;
};

}  // namespace stillroom::lm
