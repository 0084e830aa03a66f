#include "engine/base/json_value.h"
#include "engine/base/text.h"
#include "plugins/lm/tokenizer/base64.h"
#include "plugins/lm/tokenizer/bpe.h"
#include "plugins/lm/tokenizer/byte_alphabet.h"
#include "plugins/lm/tokenizer/regex.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"

#include <fmt/format.h>

#include <charconv>

// Files that list tokens by rank: tekken.json and tiktoken's. Two neighbours merge where together
// they are a token, the lowest rank first; a whole word that is a token is taken at once.

namespace stillroom::lm {
namespace {

constexpr std::string_view kCl100kPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// `tokens[rank]` are bytes; ids begin at `first_id`.
class RankReader {
public:
    explicit RankReader(const std::string& file) : parts_(std::make_shared<TokenizerParts>()) {
        parts_->file = file;
        reader_ = {file, &parts_->notices};
    }

    void special(std::string_view text) {
        auto id = static_cast<std::uint32_t>(parts_->vocabulary.count());
        if (parts_->vocabulary.add(text, id) != Vocabulary::Added::yes)
            reader_.refuse(fmt::format("the special token '{}' stands here twice", text));
    }

    void token(std::string_view bytes, std::size_t rank) {
        if (rank != tokens_)
            reader_.refuse(fmt::format("the rank {} stands where {} should", rank, tokens_));
        if (tokens_ == 0)
            first_ = static_cast<std::uint32_t>(parts_->vocabulary.count());
        if (bytes.empty() || bytes.size() > kLongestToken)
            reader_.refuse(fmt::format("the token of rank {} has {} bytes, not 1 to {}",
                                       rank,
                                       bytes.size(),
                                       kLongestToken));
        if (tokens_ == kMostTokens)
            reader_.refuse(fmt::format("more than {} tokens", kMostTokens));
        auto id = static_cast<std::uint32_t>(first_ + tokens_++);
        if (parts_->vocabulary.add(spell_bytes(bytes), id) != Vocabulary::Added::yes)
            reader_.refuse(fmt::format("the token of rank {} stands here twice", rank));
    }

    std::shared_ptr<TokenizerParts> finish(std::string_view pattern) {
        Json decoder = Json::parse(R"({"type": "ByteLevel"})");
        parts_->decoder = Decoder::read(decoder, reader_);
        bool known = false;
        parts_->pre_tokenizer.split(scanner_of(pattern, known), SplitBehaviour::isolated, false);
        if (!known)
            reader_.notice(fmt::format(
                "the split pattern {} is none of those known: it goes through PCRE2, slower and "
                "with Unicode 14",
                escape_controls(shorten(pattern, 60))));
        BpeSettings settings;
        settings.ignore_merges = true;
        auto bpe = std::make_unique<Bpe>(parts_->vocabulary, merges(), settings);
        if (!bpe->read_bytes())
            reader_.refuse("the tokens lack one of the 256 bytes");
        parts_->model = std::move(bpe);
        parts_->finish();
        return parts_;
    }

    TokenizerParts& parts() { return *parts_; }
    const ComponentReader& reader() const { return reader_; }

private:
    /// Every way in which a token is two others.
    std::vector<Merge> merges() const {
        std::vector<Merge> out;
        const Vocabulary& vocabulary = parts_->vocabulary;
        for (std::uint32_t id = first_; id < first_ + tokens_; ++id) {
            std::string_view text = *vocabulary.text_of(id);
            if (text.size() > 1024)
                reader_.refuse(fmt::format(
                    "the token {} has {} bytes, at most 1024 are merged", id, text.size()));
            for (std::size_t i = 1; i < text.size(); ++i) {
                if ((text[i] & 0xC0) == 0x80)
                    continue;
                std::uint32_t left = vocabulary.find(text.substr(0, i));
                std::uint32_t right = vocabulary.find(text.substr(i));
                if (left != Vocabulary::kNone && right != Vocabulary::kNone && left >= first_ &&
                    right >= first_)
                    out.push_back({left, right, id, id});
            }
            if (out.size() > 4 * kMostTokens)
                reader_.refuse(fmt::format("more than {} merges", 4 * kMostTokens));
        }
        return out;
    }

    std::shared_ptr<TokenizerParts> parts_;
    ComponentReader reader_;
    std::size_t tokens_ = 0;
    std::uint32_t first_ = 0;
};

}  // namespace

std::shared_ptr<TokenizerParts> read_tekken(std::string_view text, const std::string& file) {
    RankReader ranks(file);
    const ComponentReader& reader = ranks.reader();
    Json json;
    try {
        json = Json::parse(text, std::size_t{512} << 20);
    } catch (Error& error) {
        error.note({file}, "read as tekken.json");
        throw;
    }
    const Json* config = json.find("config");
    if (!config)
        reader.refuse("no 'config': this is no tekken.json");
    std::int64_t size = reader.number(*config, "default_vocab_size", 0);
    std::int64_t specials = reader.number(*config, "default_num_special_tokens", 0);
    if (specials < 0 || size <= specials || static_cast<std::size_t>(size) > kMostTokens)
        reader.refuse(
            fmt::format("a vocabulary of {} with {} special tokens cannot be", size, specials));
    std::vector<std::string> names(static_cast<std::size_t>(specials));
    for (std::size_t i = 0; i < names.size(); ++i)
        names[i] = fmt::format("<SPECIAL_{}>", i);
    std::vector<bool> named(names.size());
    if (const Json* list = json.find("special_tokens"); list && !list->is_null()) {
        for (const Json& item : list->list()) {
            std::int64_t rank = reader.number(item, "rank", -1);
            if (rank < 0 || rank >= specials || named[static_cast<std::size_t>(rank)])
                reader.refuse(
                    fmt::format("the special token of rank {} is not one of {}", rank, specials));
            named[static_cast<std::size_t>(rank)] = true;
            names[static_cast<std::size_t>(rank)] = reader.text(item, "token_str");
        }
    }
    for (const std::string& name : names)
        ranks.special(name);
    const std::vector<Json>& vocab = reader.list(json, "vocab");
    auto count = static_cast<std::size_t>(size - specials);
    if (vocab.size() < count)
        reader.refuse(fmt::format("{} tokens where {} should be", vocab.size(), count));
    for (std::size_t i = 0; i < count; ++i) {
        std::optional<std::string> bytes = decode_base64(reader.text(vocab[i], "token_bytes"));
        std::int64_t rank = reader.number(vocab[i], "rank", -1);
        if (!bytes || rank < 0)
            reader.refuse(fmt::format("the token {} has no bytes or no rank", i));
        ranks.token(*bytes, static_cast<std::size_t>(rank));
    }
    TokenizerParts& parts = ranks.parts();
    for (std::size_t i = 0; i < names.size(); ++i) {
        AddedToken token;
        token.content = names[i];
        token.special = true;
        token.normalized = false;
        parts.add_token(std::move(token), static_cast<std::uint32_t>(i));
    }
    if (std::uint32_t begin = parts.find("<s>"); begin != Vocabulary::kNone) {
        parts.post_processor.before = {begin};
        parts.special.begin = begin;
    }
    if (std::uint32_t end = parts.find("</s>"); end != Vocabulary::kNone)
        parts.special.end = end;
    return ranks.finish(reader.text(*config, "pattern"));
}

bool looks_like_ranks(std::string_view text) {
    std::size_t blank = text.substr(0, kLongestToken).find(' ');
    return blank != std::string_view::npos && blank > 0 && blank + 1 < text.size() &&
           decode_base64(text.substr(0, blank)) && text[blank + 1] >= '0' && text[blank + 1] <= '9';
}

std::shared_ptr<TokenizerParts> read_ranks(std::string_view text, const std::string& file) {
    RankReader ranks(file);
    const ComponentReader& reader = ranks.reader();
    std::size_t number = 0;
    while (!text.empty()) {
        std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (trim(line).empty())
            continue;
        std::size_t blank = std::min(line.find(' '), line.size());
        std::optional<std::string> bytes = decode_base64(line.substr(0, blank));
        std::size_t rank = 0;
        std::string_view digits = trim(line.substr(blank));
        auto [stop, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
        if (!bytes || bad != std::errc() || stop != digits.data() + digits.size())
            throw Error({file, static_cast<int>(number), 1},
                        "a line of ranks is base64, a blank and a number")
                .exit_code(kExitBadInput);
        ranks.token(*bytes, rank);
    }
    reader.notice("a file of ranks names no split pattern: that of cl100k and Llama 3 is used");
    return ranks.finish(kCl100kPattern);
}

}  // namespace stillroom::lm
