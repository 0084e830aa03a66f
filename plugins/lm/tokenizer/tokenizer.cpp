#include "plugins/lm/tokenizer/tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"
#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/word_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLongestText = 0xFFFFFFFF;

/// Ids of words.
class IdSink final : public WordSink {
public:
    IdSink(const Model& model, WordCache& cache, IdBuffer& ids)
        : model_(model),
          cache_(cache),
          ids_(ids) {}

    void word(const Piece& word) override {
        auto end = static_cast<std::uint32_t>(word.text.size());
        model_.encode_words(word.text, 0, {&end, 1}, cache_, ids_);
    }

private:
    const Model& model_;
    WordCache& cache_;
    IdBuffer& ids_;
};

/// And where each came from.
class BoundsSink final : public WordSink {
public:
    BoundsSink(const TokenizerParts& parts, IdBuffer& ids, std::vector<Bounds>& bounds)
        : parts_(parts),
          ids_(ids),
          bounds_(bounds) {}

    void word(const Piece& word) override {
        tokens_.clear();
        parts_.model->encode(word.text, tokens_);
        for (const Token& token : tokens_) {
            ids_.push_back(token.id);
            bounds_.push_back(bounds_of(word, token));
        }
    }

private:
    static Bounds bounds_of(const Piece& word, const Token& token) {
        std::size_t size = word.text.size();
        std::size_t begin = std::min<std::size_t>(token.begin, size - 1);
        std::size_t end = std::clamp<std::size_t>(token.end, begin + 1, size);
        return {word.bounds[begin].begin, word.bounds[end - 1].end};
    }

    const TokenizerParts& parts_;
    IdBuffer& ids_;
    std::vector<Bounds>& bounds_;
    std::vector<Token> tokens_;
};

/// One text on its way through the parts, its ids behind those that are there. `bounds` is null
/// where nobody asks where they came from; then `cache` is not.
class Run {
public:
    Run(const TokenizerParts& parts,
        const EncodeOptions& options,
        WordCache* cache,
        IdBuffer& ids,
        std::vector<Bounds>* bounds)
        : parts_(parts),
          options_(options),
          cache_(cache),
          ids_(ids),
          bounds_(bounds) {}

    void text(std::string_view text) {
        bool track = bounds_ || parts_.pre_tokenizer.needs_bounds(!parts_.normalizer.empty());
        between(store_.whole(text, track), parts_.raw_finder, [&](const Piece& raw) {
            Piece piece = parts_.normalizer.apply(raw, store_);
            between(piece, parts_.normalized_finder, [&](const Piece& part) { words(part); });
        });
    }

    /// What stood in the (normalised) text for the tokens that no model made, by place.
    const std::map<std::size_t, std::string_view>& added() const { return added_; }

private:
    /// Added tokens go out, what lies between them to `act`.
    template <class Act>
    void between(const Piece& piece, const AddedTokenFinder& finder, Act act) {
        std::size_t done = 0;
        if (!finder.empty()) {
            for (const auto& found : finder.find(piece.text, options_.allow_special)) {
                if (found.begin > done)
                    act(piece.part(done, found.begin));
                if (bounds_) {
                    bounds_->push_back(
                        {piece.bounds[found.begin].begin, piece.bounds[found.end - 1].end});
                    added_[ids_.size()] = piece.text.substr(found.begin, found.end - found.begin);
                }
                ids_.push_back(finder.id(found));
                done = found.end;
            }
        }
        if (done < piece.text.size())
            act(piece.part(done, piece.text.size()));
    }

    void words(const Piece& piece) {
        if (bounds_) {
            BoundsSink sink(parts_, ids_, *bounds_);
            parts_.pre_tokenizer.run(piece, store_, sink);
            return;
        }
        IdSink sink(*parts_.model, *cache_, ids_);
        if (parts_.pre_tokenizer.empty()) {
            if (!piece.text.empty())
                sink.word(piece);
        } else if (const Scanner* scanner = parts_.pre_tokenizer.only_scanner()) {
            scanned(piece.text, *scanner);
        } else {
            parts_.pre_tokenizer.run(piece, store_, sink);
        }
    }

    void scanned(std::string_view text, const Scanner& scanner) {
        constexpr std::size_t kAtOnce = 256;
        std::uint32_t ends[kAtOnce + Scanner::kMoreWords];
        for (std::size_t at = 0; at < text.size();) {
            std::size_t count = scanner.words(text, at, ends, kAtOnce);
            parts_.model->encode_words(text, at, {ends, count}, *cache_, ids_);
            at = ends[count - 1];
        }
    }

    const TokenizerParts& parts_;
    const EncodeOptions& options_;
    WordCache* cache_;
    IdBuffer& ids_;
    std::vector<Bounds>* bounds_;
    PieceStore store_;
    std::map<std::size_t, std::string_view> added_;
};

/// Moves `at` over so many characters of the text, forward to `stop` at most.
std::uint32_t forward(std::string_view text, std::uint32_t at, int characters, std::uint32_t stop) {
    int length = 0;
    for (; characters > 0 && at < stop; --characters) {
        code_point(text.data() + at, length);
        at += static_cast<std::uint32_t>(length);
    }
    return std::min(at, stop);
}

/// Backward; where the text has not so many, nothing moves.
std::uint32_t backward(std::string_view text, std::uint32_t from, int characters) {
    std::uint32_t at = from;
    int length = 0;
    for (; characters > 0 && at > 0; --characters) {
        code_point_before(text.data() + at, length);
        at -= static_cast<std::uint32_t>(length);
    }
    return characters > 0 ? from : at;
}

/// White space at the ends of each token is not part of its bounds, counted in characters as the
/// reference does; `leave_first`: but one blank that may have been put in front of the text.
/// `first` tokens before these were cut off.
void trim_bounds(const TokenizerParts& parts,
                 std::string_view text,
                 bool leave_first,
                 Encoding& out,
                 const std::map<std::size_t, std::string_view>& added,
                 std::size_t first) {
    const Unicode& table = Unicode::get();
    constexpr char32_t kSpelledSpace = 0x120;
    auto blank = [&](char32_t c) { return c == kSpelledSpace || table.is(c, unicode::kSpace); };
    for (std::size_t i = 0; i < out.ids.size(); ++i) {
        auto found = added.find(first + i);
        std::string_view token =
            found != added.end() ? found->second : parts.token_of(out.ids[i]).value_or("");
        int length = 0, front = 0, back = 0;
        for (std::size_t at = 0; at < token.size() && blank(code_point(token.data() + at, length));
             at += static_cast<std::size_t>(length))
            ++front;
        for (std::size_t at = token.size();
             at > 0 && blank(code_point_before(token.data() + at, length));
             at -= static_cast<std::size_t>(length))
            ++back;
        Bounds& bounds = out.bounds[i];
        if (leave_first && front == 1 && (i == 0 || bounds.begin == 0))
            front = 0;
        bounds.begin = forward(text, bounds.begin, front, bounds.end);
        bounds.end = std::max(backward(text, bounds.end, back), bounds.begin);
    }
}

void check_text(std::string_view text) {
    if (text.size() > kLongestText)
        throw Error(
            {},
            fmt::format(
                "a text has {} bytes, at most {} are encoded at once", text.size(), kLongestText))
            .exit_code(kExitBadInput);
    if (std::optional<std::size_t> bad = find_invalid_utf8(text))
        throw Error({}, fmt::format("the text is no UTF-8 at byte {}", *bad))
            .exit_code(kExitBadInput);
}

/// Which part of `count` ids is left where at most `most` are wanted.
std::pair<std::size_t, std::size_t> kept(std::size_t count, std::size_t most, bool drop_front) {
    std::size_t over = count - std::min(count, most);
    return drop_front ? std::pair(over, count) : std::pair(std::size_t{0}, count - over);
}

std::size_t around(const TokenizerParts& parts, const EncodeOptions& options) {
    const PostProcessor& post = parts.post_processor;
    return options.add_special ? post.before.size() + post.behind.size() : 0;
}

std::size_t most_of_text(const TokenizerParts& parts, const EncodeOptions& options) {
    std::size_t tokens = around(parts, options);
    return options.max_tokens == 0 ? static_cast<std::size_t>(-1)
                                   : options.max_tokens - std::min(options.max_tokens, tokens);
}

/// Appends.
void run(const TokenizerParts& parts,
         std::string_view text,
         const EncodeOptions& options,
         WordCache& cache,
         IdBuffer& ids) {
    check_text(text);
    if (options.add_special)
        ids.append(parts.post_processor.before);
    std::size_t from = ids.size();
    Run(parts, options, &cache, ids, nullptr).text(text);
    auto [begin, end] = kept(ids.size() - from, most_of_text(parts, options), options.drop_front);
    ids.erase(from + end, ids.size() - from - end);
    ids.erase(from, begin);
    if (options.add_special)
        ids.append(parts.post_processor.behind);
}

}  // namespace

EncodeScratch::EncodeScratch() : words_(std::make_unique<WordCache>()) {}
EncodeScratch::~EncodeScratch() = default;
EncodeScratch::EncodeScratch(EncodeScratch&&) noexcept = default;
EncodeScratch& EncodeScratch::operator=(EncodeScratch&&) noexcept = default;

WordCache& EncodeScratch::words(const std::shared_ptr<const void>& tokenizer) {
    if (words_->owner != tokenizer)
        words_->forget(tokenizer);
    return *words_;
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
    return Tokenizer(read_tokenizer_json(json, name));
}

Tokenizer Tokenizer::parse_sentencepiece(std::string_view bytes, const std::string& name) {
    return Tokenizer(read_sentencepiece(bytes, name));
}

std::vector<std::uint32_t> Tokenizer::encode(std::string_view text,
                                             const EncodeOptions& options) const {
    WordCache cache;
    IdBuffer ids;
    run(*parts_, text, options, cache, ids);
    return {ids.data(), ids.data() + ids.size()};
}

Encoding Tokenizer::encode_with_bounds(std::string_view text, const EncodeOptions& options) const {
    check_text(text);
    IdBuffer ids;
    Encoding out;
    Run run(*parts_, options, nullptr, ids, &out.bounds);
    run.text(text);
    out.ids.assign(ids.data(), ids.data() + ids.size());
    const PostProcessor& post = parts_->post_processor;
    auto [begin, end] = kept(ids.size(), most_of_text(*parts_, options), options.drop_front);
    auto cut = [begin = begin, end = end](auto& list) {
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(end), list.end());
        list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(begin));
    };
    cut(out.ids);
    cut(out.bounds);
    for (bool leave_first : post.trims)
        trim_bounds(*parts_, text, leave_first, out, run.added(), begin);
    if (options.add_special) {
        out.ids.insert(out.ids.begin(), post.before.begin(), post.before.end());
        out.ids.insert(out.ids.end(), post.behind.begin(), post.behind.end());
        out.bounds.insert(out.bounds.begin(), post.before.size(), Bounds());
        out.bounds.resize(out.ids.size());
    }
    return out;
}

void Tokenizer::encode(std::string_view text,
                       const EncodeOptions& options,
                       EncodeScratch& scratch,
                       IdBuffer& ids) const {
    run(*parts_, text, options, scratch.words(parts_), ids);
}

void Tokenizer::encode(std::string_view text,
                       const EncodeOptions& options,
                       EncodeScratch& scratch,
                       std::vector<std::uint32_t>& ids) const {
    IdBuffer& made = scratch.ids();
    made.clear();
    encode(text, options, scratch, made);
    ids.insert(ids.end(), made.data(), made.data() + made.size());
}

std::size_t Tokenizer::vocab_size() const {
    return parts_->id_end();
}

std::optional<std::uint32_t> Tokenizer::id_of(std::string_view token) const {
    std::uint32_t id = parts_->find(token);
    return id == Vocabulary::kNone ? std::nullopt : std::optional(id);
}

std::optional<std::string_view> Tokenizer::token_of(std::uint32_t id) const {
    return parts_->token_of(id);
}

bool Tokenizer::is_special(std::uint32_t id) const {
    return parts_->is_special(id);
}
const SpecialIds& Tokenizer::special() const {
    return parts_->special;
}
const std::optional<Truncation>& Tokenizer::truncation() const {
    return parts_->truncation;
}
const std::vector<std::string>& Tokenizer::notices() const {
    return parts_->notices;
}

}  // namespace stillroom::lm
