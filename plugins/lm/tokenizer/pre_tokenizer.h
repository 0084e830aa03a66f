#pragma once

#include "plugins/lm/tokenizer/component.h"
#include "plugins/lm/tokenizer/piece.h"
#include "plugins/lm/tokenizer/scanner.h"

#include <functional>
#include <memory>
#include <vector>

namespace stillroom::lm {

/// Takes the words in their order.
class WordSink {
public:
    virtual ~WordSink();
    virtual void word(const Piece& word) = 0;
};

enum class SplitBehaviour : std::uint8_t {
    removed,
    isolated,
    with_previous,
    with_next,
    contiguous
};

/// Divides a piece into words, in steps each of which takes what the one before gave. Const and
/// thread-safe.
class PreTokenizer {
public:
    /// Part of the text to a list of parts.
    using Step = std::function<void(const Piece&, PieceStore&, std::vector<Piece>&)>;

    /// Of a tokenizer.json; null is none. Throws Error (exit 3).
    static PreTokenizer read(const Json& value, const ComponentReader& reader);

    void split(std::shared_ptr<const Scanner> scanner, SplitBehaviour behaviour, bool invert);

    /// The last step only spells bytes, and is left to a model that reads bytes.
    bool spells_bytes() const { return !stages_.empty() && stages_.back().spells; }
    void leave_spelling() { stages_.pop_back(); }

    /// A step asks whether it stands at the begin of the original, where others have been at work
    /// before it: then bounds must be kept.
    bool needs_bounds(bool normalized) const {
        return asks_for_start_ && (normalized || !asks_first_);
    }

    void run(const Piece& piece, PieceStore& store, WordSink& sink) const;
    /// Its only step is to cut where this scanner says, without gaps; else null.
    const Scanner* only_scanner() const;
    bool empty() const { return stages_.empty(); }

private:
    struct Stage {
        Step step;                                ///< or
        std::shared_ptr<const Scanner> covering;  ///< isolated matches of a scanner without gaps
        bool spells = false;
        bool cuts_digits = false;  ///< each by itself
        std::string pattern = {};  ///< all it does is to isolate the matches of this
    };

    void add(Step step) { stages_.push_back({std::move(step), nullptr}); }
    void read_into(const Json& value, const ComponentReader& reader, int depth);
    void read_split(const Json& value, const ComponentReader& reader);
    void join_patterns();
    void read_metaspace(const Json& value, const ComponentReader& reader);
    void run_from(std::size_t stage, const Piece& piece, PieceStore& store, WordSink& sink) const;

    std::vector<Stage> stages_;
    bool asks_for_start_ = false;
    bool asks_first_ = false;  // and is the first step
};

}  // namespace stillroom::lm
