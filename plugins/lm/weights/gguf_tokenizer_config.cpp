#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/lm/weights/gguf_tokenizer.h"

#include <fmt/format.h>

#include <utility>

namespace stillroom::lm {
namespace {

void put_special(JsonWriter& json, const GgufVocabulary& vocabulary) {
    auto put = [&](std::string_view key, std::optional<std::int64_t> id) {
        if (!id)
            return;
        json.key(key);
        json.string(vocabulary.token(*id));
    };
    put("bos_token", vocabulary.special.bos);
    put("eos_token",
        vocabulary.special.eos.empty() ? std::nullopt : std::optional(vocabulary.special.eos[0]));
    put("pad_token", vocabulary.special.pad);
    put("unk_token", vocabulary.unknown);
}

/// One template, or with named ones beside it a list of them all.
void put_templates(JsonWriter& json, const GgufFile& file) {
    constexpr std::string_view kMain = "tokenizer.chat_template";
    constexpr std::string_view kNamed = "tokenizer.chat_template.";
    std::vector<std::pair<std::string, std::string_view>> templates;
    if (std::optional<std::string_view> text = file.text(kMain))
        templates.emplace_back("default", *text);
    for (auto it = file.values().lower_bound(kNamed);
         it != file.values().end() && it->first.starts_with(kNamed);
         ++it)
        templates.emplace_back(it->first.substr(kNamed.size()), *file.text(it->first));
    for (const auto& [name, text] : templates)
        if (find_invalid_utf8(text))
            file.refuse(fmt::format("the chat template '{}' is not UTF-8", shown(name)));
    if (templates.empty())
        return;
    json.key("chat_template");
    if (templates.size() == 1 && templates[0].first == "default") {
        json.string(templates[0].second);
        return;
    }
    json.begin_array();
    for (const auto& [name, text] : templates) {
        json.begin_object();
        json.key("name");
        json.string(name);
        json.key("template");
        json.string(text);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string gguf_tokenizer_config_text(const GgufFile& file,
                                       const GgufVocabulary& vocabulary,
                                       std::int64_t max_positions) {
    AddedEnds ends = added_ends(file, vocabulary);
    JsonWriter json(2);
    json.begin_object();
    json.key("add_bos_token");
    json.boolean(ends.bos);
    json.key("add_eos_token");
    json.boolean(ends.eos);
    put_special(json, vocabulary);
    put_templates(json, file);
    json.key("clean_up_tokenization_spaces");
    json.boolean(false);
    json.key("model_max_length");
    json.integer(max_positions);
    json.key("tokenizer_class");
    json.string("PreTrainedTokenizerFast");
    json.end_object();
    return json.take() + "\n";
}

std::string gguf_special_tokens_text(const GgufVocabulary& vocabulary) {
    JsonWriter json(2);
    json.begin_object();
    put_special(json, vocabulary);
    json.end_object();
    return json.take() + "\n";
}

}  // namespace stillroom::lm
