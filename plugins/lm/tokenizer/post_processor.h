#pragma once

#include "plugins/lm/tokenizer/component.h"
#include "plugins/lm/tokenizer/vocabulary.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace stillroom::lm {

/// What stands before and behind a text's own tokens, and how bounds are trimmed.
class PostProcessor {
public:
    using FindToken = std::function<std::uint32_t(std::string_view)>;

    /// Of a tokenizer.json; null is none. Throws Error (exit 3), also for a token that `find` does
    /// not know.
    static PostProcessor read(const Json& value,
                              const ComponentReader& reader,
                              const FindToken& find);

    std::vector<std::uint32_t> before;
    std::vector<std::uint32_t> behind;

    /// Bounds leave out white space at the ends of a token, one time for each of these, in order;
    /// true: but the blank that was put in front of the text.
    std::vector<bool> trims;

private:
    void read_into(const Json& value,
                   const ComponentReader& reader,
                   const FindToken& find,
                   int depth);
    void read_template(const Json& value, const ComponentReader& reader);
};

}  // namespace stillroom::lm
