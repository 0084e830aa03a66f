#pragma once

#include "plugins/lm/tokenizer/model.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

/// Tokens by their first bytes: which are the beginning of a text.
class PrefixTree {
public:
    PrefixTree();

    void add(std::string_view text, std::uint32_t id);

    /// Calls found(bytes, id) for each token that the text begins with, shortest first.
    template <class Found>
    void prefixes(std::string_view text, Found found) const {
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            node = child(node, static_cast<unsigned char>(text[i]));
            if (node == 0)
                return;
            if (ids_[node] != Vocabulary::kNone)
                found(i + 1, ids_[node]);
        }
    }

private:
    struct Slot {
        std::uint64_t key = 0;  ///< node << 8 | byte, + 1
        std::uint32_t to = 0;
    };

    std::uint32_t child(std::uint32_t node, unsigned char byte) const;
    std::size_t slot_of(std::uint64_t key) const;
    void grow();

    std::vector<std::uint32_t> ids_;  // of nodes
    std::vector<Slot> slots_;
};

struct UnigramSettings {
    std::optional<std::uint32_t> unknown;
    bool byte_fallback = false;
    bool fuse_unknown = true;
};

/// The most likely division of a word, by the scores of its tokens. Time is in proportion to the
/// text and the longest token.
class Unigram final : public Model {
public:
    /// `scores[id]`; keeps a reference to the vocabulary.
    Unigram(const Vocabulary& vocabulary, std::vector<double> scores, UnigramSettings settings);

    void encode(std::string_view word, std::vector<Token>& out) const override;

private:
    const Vocabulary& vocabulary_;
    PrefixTree tree_;
    std::vector<double> scores_;
    UnigramSettings settings_;
    double unknown_score_ = 0;
    std::array<std::uint32_t, 256> byte_ids_{};
    bool has_bytes_ = false;
};

}  // namespace stillroom::lm
