#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/tokenizer/beside.h"
#include "plugins/lm/tokenizer/bpe.h"
#include "plugins/lm/tokenizer/json_cursor.h"
#include "plugins/lm/tokenizer/merge_texts.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"
#include "plugins/lm/tokenizer/unigram.h"
#include "plugins/lm/tokenizer/word_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

// A tokenizer.json is megabytes of vocabulary and a few lines of everything else. One pass notes
// where each part stands; the vocabulary and the merges are then read without a tree, the rest is
// small and becomes one.

namespace stillroom::lm {
namespace {

constexpr std::string_view kMergesKey = "\"merges\":";
constexpr std::size_t kLeastForThread = std::size_t{1} << 20;

/// Where the values of a map stand in the text.
using Members = std::map<std::string, std::string_view, std::less<>>;

class Reader {
public:
    /// `tables`: of which vocabulary and model are read.
    Reader(std::string_view text, const std::string& file, CompiledReader* tables = nullptr)
        : text_(text),
          tables_(tables),
          parts_(std::make_shared<TokenizerParts>()) {
        parts_->file = file;
        reader_ = {file, &parts_->notices};
    }

    void check_utf8() const {
        if (std::optional<std::size_t> bad = find_invalid_utf8(text_))
            throw JsonCursor(text_, parts_->file).error(*bad, "this is no UTF-8");
    }

    /// Null: the tables are not as they should be. What is no UTF-8 has been refused.
    std::shared_ptr<TokenizerParts> read(std::string* rest = nullptr) {
        if (!tables_)
            begin_early();
        Members top, model;
        JsonCursor in = cursor(text_);
        members(in, top, model);
        in.end();
        if (!top.contains("model"))
            reader_.refuse("no 'model': this is no tokenizer");
        if (rest)
            *rest = rest_of(top, model);
        if (tables_)
            parts_->vocabulary.read(*tables_);
        if (tables_ && tables_->fails())
            return nullptr;
        read_model(model);
        if (tables_ && tables_->fails())
            return nullptr;
        read_added(tree(top, "added_tokens"));
        parts_->normalizer = Normalizer::read(tree(top, "normalizer"), reader_);
        parts_->pre_tokenizer = PreTokenizer::read(tree(top, "pre_tokenizer"), reader_);
        parts_->post_processor =
            PostProcessor::read(tree(top, "post_processor"), reader_, [this](std::string_view t) {
                return parts_->find(t);
            });
        parts_->decoder = Decoder::read(tree(top, "decoder"), reader_);
        read_truncation(map_or_nothing(top, "truncation"));
        map_or_nothing(top, "padding");  // what pads a batch pads it, not its texts
        if (bpe_ && parts_->pre_tokenizer.spells_bytes() && bpe_->read_bytes())
            parts_->pre_tokenizer.leave_spelling();
        parts_->finish();
        return parts_;
    }

private:
    /// A cursor over a part of the text that counts lines from its begin.
    JsonCursor cursor(std::string_view part) const {
        auto begin = static_cast<std::size_t>(part.data() - text_.data());
        return JsonCursor(text_.substr(0, begin + part.size()), parts_->file, begin);
    }

    static void one_of(Members& out, const JsonCursor& in, std::string_view key) {
        if (out.contains(key))
            throw in.error(fmt::format("the key '{}' stands here twice", key));
    }

    void members(JsonCursor& in, Members& out, Members& model) {
        in.object([&](std::string_view key) {
            one_of(out, in, key);
            std::string name(key);
            if (key == "model")
                in.object([&](std::string_view inner) { model_member(in, inner, model); });
            out.emplace(name, key == "model" ? std::string_view() : in.raw());
        });
    }

    /// The two long ones are read where they stand.
    void model_member(JsonCursor& in, std::string_view key, Members& out) {
        one_of(out, in, key);
        std::string name(key);
        std::size_t begin = in.at();
        if (key == "vocab" && in.peek() == '{' && !tables_) {
            read_vocabulary(in);
        } else if (key == "merges" && vocabulary_is_read_) {
            read_merges(in);
        } else {
            out.emplace(name, in.raw());
            return;
        }
        out.emplace(name, text_.substr(begin, in.at() - begin));
    }

    Json map_or_nothing(const Members& from, std::string_view key) const {
        Json value = tree(from, key);
        if (!value.is_null() && !value.is_map())
            reader_.refuse(fmt::format("'{}' should be a map or null", key));
        return value;
    }

    static std::string rest_of(const Members& top, const Members& model) {
        std::string out = R"({"model": {"vocab": {}, "merges": [])";
        for (const auto& [key, value] : model)
            if (key == "type" || key == "unk_token" || key == "continuing_subword_prefix" ||
                key == "end_of_word_suffix" || key == "fuse_unk" || key == "byte_fallback" ||
                key == "ignore_merges" || key == "dropout")
                out += fmt::format(R"(, "{}": {})", key, value);
        out += '}';
        for (const auto& [key, value] : top)
            if (key == "added_tokens" || key == "normalizer" || key == "pre_tokenizer" ||
                key == "post_processor" || key == "decoder" || key == "truncation")
                out += fmt::format(R"(, "{}": {})", key, value);
        return out + '}';
    }

    Json tree(const Members& from, std::string_view key) const {
        auto found = from.find(key);
        if (found == from.end())
            return Json();
        try {
            return Json::parse(found->second, std::size_t{64} << 20);
        } catch (Error& error) {
            error.note({parts_->file}, fmt::format("in '{}'", key));
            throw;
        }
    }

    void read_model(const Members& model) {
        std::string type = model_type(model);
        if (type == "BPE")
            read_bpe(model);
        else if (type == "Unigram")
            read_unigram(model);
        else if (type == "WordPiece")
            read_word_piece(model);
        else
            reader_.refuse(fmt::format("the model '{}' is not known", type));
    }

    std::string model_type(const Members& model) const {
        Json type = tree(model, "type");
        if (type.is_string())
            return type.string();
        if (model.contains("merges"))  // as old files do
            return "BPE";
        auto vocab = model.find("vocab");
        if (vocab != model.end() && vocab->second.starts_with('['))
            return "Unigram";
        if (model.contains("max_input_chars_per_word"))
            return "WordPiece";
        reader_.refuse("the model has no 'type'");
    }

    std::string_view part(const Members& model, std::string_view key) const {
        auto found = model.find(key);
        if (found == model.end())
            reader_.refuse(fmt::format("the model has no '{}'", key));
        return found->second;
    }

    void read_vocabulary_of(const Members& model) {
        JsonCursor in = cursor(part(model, "vocab"));
        if (!vocabulary_is_read_ && !tables_)
            read_vocabulary(in);
    }

    /// Tokens on their way into the vocabulary, many at a time.
    class TokenBatch {
    public:
        TokenBatch(Vocabulary& vocabulary, const JsonCursor& in)
            : vocabulary_(vocabulary),
              in_(in) {}

        void add(std::string_view text, std::uint32_t id, bool stays) {
            texts_[count_] = stays ? text : kept_.emplace_back(text);
            ids_[count_] = id;
            if (++count_ == kAtOnce)
                flush();
        }
        void flush() {
            Vocabulary::Added why{};
            std::size_t done = vocabulary_.add_all({texts_, count_}, ids_, why);
            if (done < count_ && why == Vocabulary::Added::text_taken)
                throw in_.error(fmt::format("the token '{}' stands here twice", texts_[done]));
            if (done < count_)
                throw in_.error(fmt::format("'{}' and '{}' have the same id {}",
                                            *vocabulary_.text_of(ids_[done]),
                                            texts_[done],
                                            ids_[done]));
            count_ = 0;
            kept_.clear();
        }

    private:
        static constexpr std::size_t kAtOnce = 32;

        Vocabulary& vocabulary_;
        const JsonCursor& in_;
        std::string_view texts_[kAtOnce];
        std::uint32_t ids_[kAtOnce];
        std::size_t count_ = 0;
        std::deque<std::string> kept_;
    };

    /// {"text": id, ...}
    void read_vocabulary(JsonCursor& in) {
        Vocabulary& vocabulary = parts_->vocabulary;
        vocabulary.reserve(text_.size() / 72, text_.size() / 8);
        vocabulary_is_read_ = true;
        TokenBatch batch(vocabulary, in);
        in.object([&](std::string_view token) {
            bool stays = token.data() >= text_.data() && token.data() < text_.data() + text_.size();
            std::int64_t id = in.integer();
            if (id < 0 || static_cast<std::uint64_t>(id) >= kMostTokens)
                throw in.error(fmt::format(
                    "the id {} of '{}' is not within 0 and {}", id, token, kMostTokens - 1));
            if (token.size() > kLongestToken)
                throw in.error(fmt::format("the token {} has {} bytes, at most {} are read",
                                           id,
                                           token.size(),
                                           kLongestToken));
            batch.add(token, static_cast<std::uint32_t>(id), stays);
        });
        batch.flush();
        if (vocabulary.count() == vocabulary.id_end())
            return;
        std::uint32_t gap = 0;
        while (vocabulary.text_of(gap))
            ++gap;
        reader_.refuse(fmt::format(
            "no token has the id {}, though the ids go to {}", gap, vocabulary.id_end() - 1));
    }

    /// The list of merges, which another thread may have read already.
    void read_merges(JsonCursor& in) {
        in.peek();
        if (std::optional<MergeTexts> early = early_merges(in.at())) {
            in.go_on_at(early->end());
            merges_ = std::move(early);
        } else {
            merges_.emplace(in);
        }
    }

    /// Begins with them on another thread, where they most likely stand: if not, it is work for
    /// nothing.
    void begin_early() {
        if (text_.size() < kLeastForThread)
            return;
        early_ = beside([this]() -> std::optional<MergeTexts> {
            const void* key =
                ::memmem(text_.data(), text_.size(), kMergesKey.data(), kMergesKey.size());
            if (!key)
                return std::nullopt;
            auto begin = static_cast<std::size_t>(static_cast<const char*>(key) - text_.data());
            try {
                JsonCursor in = cursor(text_.substr(begin + kMergesKey.size()));
                return in.peek() == '[' ? std::optional<MergeTexts>(in) : std::nullopt;
            } catch (const Error&) {
                return std::nullopt;  // it will be found again in its turn
            }
        });
    }

    std::optional<MergeTexts> early_merges(std::size_t at) {
        if (!early_.valid())
            return std::nullopt;
        std::optional<MergeTexts> out = early_.get();
        return out && out->begin() == at ? std::move(out) : std::nullopt;
    }

    void read_bpe(const Members& model) {
        read_vocabulary_of(model);
        Members small;
        for (const auto& [key, value] : model)
            if (key != "vocab" && key != "merges")
                small.emplace(key, value);
        auto text = [&](std::string_view key) {
            Json value = tree(small, key);
            return value.is_null() ? std::string() : value.string();
        };
        auto flag = [&](std::string_view key) {
            Json value = tree(small, key);
            return !value.is_null() && value.boolean();
        };
        BpeSettings settings;
        settings.prefix = text("continuing_subword_prefix");
        settings.suffix = text("end_of_word_suffix");
        settings.fuse_unknown = flag("fuse_unk");
        settings.byte_fallback = flag("byte_fallback");
        settings.ignore_merges = flag("ignore_merges");
        Json dropout = tree(small, "dropout");
        if (!dropout.is_null() && dropout.number() != 0)
            reader_.refuse(
                fmt::format("dropout {} makes ids random; only null or 0 is read", dropout.text()));
        if (std::string unknown = text("unk_token"); !unknown.empty()) {
            std::uint32_t id = parts_->vocabulary.find(unknown);
            if (id == Vocabulary::kNone)
                reader_.refuse(fmt::format("the unk_token '{}' is not in the vocabulary", unknown));
            settings.unknown = id;
        }
        JsonCursor merges = cursor(part(model, "merges"));
        std::unique_ptr<Bpe> bpe;
        if (tables_) {
            bpe = std::make_unique<Bpe>(parts_->vocabulary, *tables_, std::move(settings));
        } else {
            if (!merges_)
                read_merges(merges);
            bpe = std::make_unique<Bpe>(
                parts_->vocabulary,
                std::move(*merges_).look_up(parts_->vocabulary, settings.prefix.size()),
                std::move(settings));
        }
        bpe_ = bpe.get();
        parts_->model = std::move(bpe);
    }

    /// [["text", score], ...], ids by place
    void read_unigram(const Members& model) {
        std::vector<double> scores;
        JsonCursor in = cursor(part(model, "vocab"));
        in.array([&] {
            int count = 0;
            std::string text;
            in.array([&] {
                if (count == 0)
                    text = in.string();
                else if (count == 1)
                    scores.push_back(in.number());
                else
                    throw in.error("a token has a text and a score, no more");
                ++count;
            });
            if (count != 2)
                throw in.error("a token has a text and a score");
            if (!std::isfinite(scores.back()))
                throw in.error(fmt::format("the score of '{}' is no number", text));
            if (scores.size() > kMostTokens || text.size() > kLongestToken)
                throw in.error(fmt::format(
                    "more than {} tokens, or one over {} bytes", kMostTokens, kLongestToken));
            auto id = static_cast<std::uint32_t>(scores.size() - 1);
            if (parts_->vocabulary.add(text, id) != Vocabulary::Added::yes)
                throw in.error(fmt::format("the token '{}' stands here twice", text));
        });
        UnigramSettings settings;
        Json unknown = tree(model, "unk_id");
        if (!unknown.is_null()) {
            std::int64_t id = unknown.integer();
            if (id < 0 || static_cast<std::size_t>(id) >= scores.size())
                reader_.refuse(
                    fmt::format("the unk_id {} is not within the {} tokens", id, scores.size()));
            settings.unknown = static_cast<std::uint32_t>(id);
        }
        Json fallback = tree(model, "byte_fallback");
        settings.byte_fallback = !fallback.is_null() && fallback.boolean();
        parts_->model = std::make_unique<Unigram>(parts_->vocabulary, std::move(scores), settings);
    }

    void read_word_piece(const Members& model) {
        read_vocabulary_of(model);
        std::string unknown = tree(model, "unk_token").string();
        std::uint32_t id = parts_->vocabulary.find(unknown);
        if (id == Vocabulary::kNone)
            reader_.refuse(fmt::format("the unk_token '{}' is not in the vocabulary", unknown));
        Json prefix = tree(model, "continuing_subword_prefix");
        Json most = tree(model, "max_input_chars_per_word");
        std::int64_t characters = most.is_null() ? 100 : most.integer();
        if (characters < 1)
            reader_.refuse(fmt::format("max_input_chars_per_word {} is less than 1", characters));
        parts_->model = std::make_unique<WordPiece>(parts_->vocabulary,
                                                    id,
                                                    prefix.is_null() ? "##" : prefix.string(),
                                                    static_cast<std::size_t>(characters));
    }

    void read_added(const Json& list) {
        if (list.is_null())
            return;
        if (!list.is_list())
            reader_.refuse("'added_tokens' should be a list");
        for (const Json& item : list.list()) {
            AddedToken token;
            token.content = reader_.text(item, "content");
            token.single_word = reader_.flag(item, "single_word", false);
            token.left_strip = reader_.flag(item, "lstrip", false);
            token.right_strip = reader_.flag(item, "rstrip", false);
            token.special = reader_.flag(item, "special", false);
            token.normalized = reader_.flag(item, "normalized", !token.special);
            std::int64_t id = reader_.number(item, "id", -1);
            if (id < 0 || static_cast<std::uint64_t>(id) >= 2 * kMostTokens)
                reader_.refuse(
                    fmt::format("the added token '{}' has no id that can be", token.content));
            parts_->add_token(std::move(token), static_cast<std::uint32_t>(id));
        }
    }

    void read_truncation(const Json& value) {
        if (value.is_null())
            return;
        Truncation out;
        std::int64_t most = reader_.number(value, "max_length", 0);
        std::int64_t stride = reader_.number(value, "stride", 0);
        std::string direction = reader_.text(value, "direction", "Right");
        if (direction != "Right" && direction != "Left")
            reader_.refuse(fmt::format("the truncation's direction is '{}', not 'Left' or 'Right'",
                                       direction));
        if (most < 0 || stride < 0)
            reader_.refuse(fmt::format(
                "the truncation's max_length {} or stride {} is negative", most, stride));
        out.max_tokens = static_cast<std::size_t>(most);
        out.stride = static_cast<std::size_t>(stride);
        out.drop_front = direction == "Left";
        parts_->truncation = out;
    }

    std::string_view text_;
    CompiledReader* tables_;
    std::shared_ptr<TokenizerParts> parts_;
    ComponentReader reader_;
    bool vocabulary_is_read_ = false;
    std::optional<MergeTexts> merges_;
    Bpe* bpe_ = nullptr;
    Beside<std::optional<MergeTexts>> early_;  // the last: it reads what stands above
};

}  // namespace

std::shared_ptr<TokenizerParts> read_tokenizer_json(std::string_view text,
                                                    const std::string& file) {
    Reader reader(text, file);
    reader.check_utf8();
    return reader.read();
}

std::shared_ptr<TokenizerParts> read_tokenizer_json(const LargeText& text,
                                                    const std::string& file,
                                                    std::string& rest) {
    Reader reader(text.view(), file);
    if (!text.is_utf8())
        reader.check_utf8();
    return reader.read(&rest);
}

std::shared_ptr<TokenizerParts> read_compiled_tokenizer(CompiledReader& in,
                                                        const std::string& file) {
    std::span<const char> rest = in.take<char>();
    try {
        Reader reader({rest.data(), rest.size()}, file, &in);
        reader.check_utf8();
        std::shared_ptr<TokenizerParts> parts = reader.read();
        if (parts)
            parts->memory = in.memory();
        return parts;
    } catch (const Error&) {
        return nullptr;
    }
}

}  // namespace stillroom::lm
