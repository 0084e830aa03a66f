#include "plugins/lm/weights/gguf_vocabulary.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostTokens = 4'000'000;
constexpr std::size_t kLongestToken = 65536;
constexpr std::string_view kBlank = "\u2581";

std::string ggml(std::string_view key) {
    return fmt::format("tokenizer.ggml.{}", key);
}

class VocabularyReader {
public:
    explicit VocabularyReader(const GgufFile& file) : file_(file) {}

    GgufVocabulary read() {
        model();
        tokens();
        types();
        drop_padding();
        if (out_.byte_level)
            merges();
        else
            scores();
        index();
        special_tokens();
        return std::move(out_);
    }

private:
    void model() {
        std::optional<std::string_view> model = file_.text(ggml("model"));
        if (!model)
            file_.refuse(fmt::format("the key '{}' is missing", ggml("model")),
                         "a file without its tokenizer makes no model folder");
        if (*model != "gpt2" && *model != "llama")
            file_.refuse(fmt::format("the tokenizer '{}' is not supported", shown(*model)),
                         "supported are gpt2 (byte-level BPE) and llama (SentencePiece)");
        out_.byte_level = *model == "gpt2";
        out_.pre = file_.text(ggml("pre")).value_or("");
        if (const GgufValue* map = file_.find(ggml("precompiled_charsmap"));
            map && map->count > 0 && !out_.byte_level)
            file_.refuse(fmt::format("'{}' is not supported", ggml("precompiled_charsmap")));
        if (file_.boolean(ggml("remove_extra_whitespaces")).value_or(false))
            file_.refuse(fmt::format("'{}' is not supported", ggml("remove_extra_whitespaces")));
    }

    void tokens() {
        const std::vector<std::string_view>* tokens = file_.texts(ggml("tokens"));
        if (!tokens || tokens->empty())
            file_.refuse(fmt::format("the key '{}' is missing or empty", ggml("tokens")));
        if (tokens->size() > kMostTokens)
            file_.refuse(
                fmt::format("it has {} tokens, over the limit of {}", tokens->size(), kMostTokens));
        for (std::size_t i = 0; i < tokens->size(); ++i) {
            std::string_view token = (*tokens)[i];
            if (token.size() > kLongestToken)
                file_.refuse(fmt::format(
                    "token {} has {} bytes, over the limit of {}", i, token.size(), kLongestToken));
            if (find_invalid_utf8(token))
                file_.refuse(fmt::format("token {} is not UTF-8", i));
        }
        out_.tokens = *tokens;
    }

    void types() {
        out_.types.assign(out_.tokens.size(), TokenType::normal);
        const GgufValue* types = file_.numbers(ggml("token_type"));
        if (!types)
            return;
        if (types->count != out_.tokens.size())
            file_.refuse(fmt::format("'{}' has {} items for {} tokens",
                                     ggml("token_type"),
                                     types->count,
                                     out_.tokens.size()));
        for (std::size_t i = 0; i < out_.types.size(); ++i) {
            std::int64_t type = types->integer(i).value_or(-1);
            if (type < 1 || type > 6)
                file_.refuse(fmt::format("token {} is of the unknown type {}", i, type));
            out_.types[i] = static_cast<TokenType>(type);
        }
    }

    void drop_padding() {
        while (!out_.tokens.empty() && out_.types.back() == TokenType::unused &&
               out_.tokens.back() == fmt::format("[PAD{}]", out_.tokens.size() - 1)) {
            out_.tokens.pop_back();
            out_.types.pop_back();
        }
    }

    void merges() {
        const std::vector<std::string_view>* merges = file_.texts(ggml("merges"));
        if (!merges)
            file_.refuse(fmt::format("the key '{}' is missing", ggml("merges")));
        for (std::size_t i = 0; i < merges->size(); ++i)
            if (find_invalid_utf8((*merges)[i]))
                file_.refuse(fmt::format("merge {} is not UTF-8", i));
        out_.merges = *merges;
    }

    void scores() {
        const GgufValue* scores = file_.numbers(ggml("scores"));
        if (!scores)
            file_.refuse(fmt::format("the key '{}' is missing", ggml("scores")));
        if (scores->count < out_.tokens.size())
            file_.refuse(fmt::format("'{}' has {} items for {} tokens",
                                     ggml("scores"),
                                     scores->count,
                                     out_.tokens.size()));
        for (std::size_t i = 0; i < out_.tokens.size(); ++i) {
            double score = scores->number(i).value_or(NAN);
            if (std::isnan(score))
                file_.refuse(fmt::format("the score of token {} is no number", i));
            out_.scores.push_back(static_cast<float>(score));
        }
        respell_blanks();
    }

    /// GGUF holds user-defined pieces with plain blanks. The model sees text whose blanks have
    /// become U+2581, so that is how its vocabulary spells them.
    void respell_blanks() {
        for (std::size_t i = 0; i < out_.tokens.size(); ++i)
            if (out_.types[i] == TokenType::user_defined &&
                out_.tokens[i].find(' ') != std::string_view::npos)
                out_.respelled.emplace_back(out_.tokens[i]);
        std::size_t next = 0;
        for (std::size_t i = 0; i < out_.tokens.size() && next < out_.respelled.size(); ++i) {
            if (out_.types[i] != TokenType::user_defined ||
                out_.tokens[i].find(' ') == std::string_view::npos)
                continue;
            std::string& text = out_.respelled[next++];
            std::string spelled;
            for (char c : text)
                c == ' ' ? spelled.append(kBlank) : spelled.append(1, c);
            text = std::move(spelled);
            out_.tokens[i] = text;
        }
    }

    void index() {
        out_.ids.reserve(out_.tokens.size());
        for (std::size_t i = 0; i < out_.tokens.size(); ++i) {
            auto [place, is_new] = out_.ids.emplace(out_.tokens[i], static_cast<std::uint32_t>(i));
            if (!is_new)
                file_.refuse(fmt::format(
                    "tokens {} and {} are both '{}'", place->second, i, shown(out_.tokens[i])));
        }
    }

    std::optional<std::int64_t> id(std::string_view key) const {
        std::optional<std::int64_t> id = file_.integer(ggml(key));
        if (!id || *id == UINT32_MAX)  // -1, written as an u32: none
            return std::nullopt;
        if (*id < 0 || static_cast<std::uint64_t>(*id) >= out_.tokens.size())
            file_.refuse(fmt::format(
                "'{}' is {}, and there are {} tokens", ggml(key), *id, out_.tokens.size()));
        return id;
    }

    void special_tokens() {
        out_.special.bos = id("bos_token_id");
        out_.special.pad = id("padding_token_id");
        out_.unknown = id("unknown_token_id");
        for (std::string_view key : {"eos_token_id", "eot_token_id", "eom_token_id"})
            if (std::optional<std::int64_t> found = id(key))
                if (std::find(out_.special.eos.begin(), out_.special.eos.end(), *found) ==
                    out_.special.eos.end())
                    out_.special.eos.push_back(*found);
        out_.add_bos = file_.boolean(ggml("add_bos_token"));
        out_.add_eos = file_.boolean(ggml("add_eos_token"));
        out_.add_space_prefix = file_.boolean(ggml("add_space_prefix"));
    }

    const GgufFile& file_;
    GgufVocabulary out_;
};

}  // namespace

GgufVocabulary gguf_vocabulary(const GgufFile& file) {
    return VocabularyReader(file).read();
}

}  // namespace stillroom::lm
