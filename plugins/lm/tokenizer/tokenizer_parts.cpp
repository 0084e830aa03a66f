#include "plugins/lm/tokenizer/tokenizer_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {

std::uint32_t TokenizerParts::find(std::string_view token) const {
    auto found = added_by_text.find(std::string(token));
    return found != added_by_text.end() ? found->second : vocabulary.find(token);
}

std::optional<std::string_view> TokenizerParts::token_of(std::uint32_t id) const {
    if (auto found = added_by_id.find(id); found != added_by_id.end())
        return added_texts[found->second];
    return vocabulary.text_of(id);
}

bool TokenizerParts::is_special(std::uint32_t id) const {
    auto found = added_by_id.find(id);
    return found != added_by_id.end() && added[found->second].special;
}

void TokenizerParts::add_token(AddedToken token, std::optional<std::uint32_t> stated) {
    auto refuse = [this](const std::string& why) {
        throw Error({file}, why).exit_code(kExitBadInput);
    };
    if (token.content.empty())
        refuse("an added token without text");
    if (token.content.size() > kLongestToken)
        refuse(fmt::format("an added token has {} bytes, at most {} are read",
                           token.content.size(),
                           kLongestToken));
    if (added.size() == kMostTokens)
        refuse(fmt::format("more than {} added tokens", kMostTokens));
    std::uint32_t id = find(token.content);
    if (id == Vocabulary::kNone)
        id = static_cast<std::uint32_t>(std::max(end_of_ids, vocabulary.id_end()));
    if (stated && *stated != id)
        refuse(fmt::format(
            "the added token '{}' has the id {}, but its place is {}", token.content, *stated, id));
    token.id = id;
    end_of_ids = std::max<std::size_t>({end_of_ids, vocabulary.id_end(), id + std::size_t{1}});
    added_by_text[token.content] = id;
    auto [known, is_new] = added_by_id.try_emplace(id, static_cast<std::uint32_t>(added.size()));
    if (is_new)
        added.push_back(std::move(token));
    else
        added[known->second] = std::move(token);
}

void TokenizerParts::finish() {
    end_of_ids = std::max(end_of_ids, vocabulary.id_end());
    std::vector<AddedToken> raw, normalized;
    std::vector<std::string> raw_texts, normalized_texts;
    for (const AddedToken& token : added) {
        (token.normalized ? normalized : raw).push_back(token);
        added_texts.push_back(token.normalized ? normalizer.apply(token.content) : token.content);
        (token.normalized ? normalized_texts : raw_texts).push_back(added_texts.back());
    }
    raw_finder = AddedTokenFinder(raw, raw_texts);
    normalized_finder = AddedTokenFinder(normalized, normalized_texts);
    for (const auto* list : {&post_processor.before, &post_processor.behind})
        for (std::uint32_t id : *list)
            if (!token_of(id))
                throw Error({file},
                            fmt::format("the token {} that stands around each text is not in "
                                        "the vocabulary of {}",
                                        id,
                                        end_of_ids))
                    .exit_code(kExitBadInput);
}

}  // namespace stillroom::lm
