#include "plugins/lm/tokenizer/post_processor.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 16;
constexpr std::size_t kMostAdded = 1024;

}  // namespace

PostProcessor PostProcessor::read(const Json& value,
                                  const ComponentReader& reader,
                                  const FindToken& find) {
    PostProcessor out;
    if (!value.is_null())
        out.read_into(value, reader, find, 0);
    return out;
}

void PostProcessor::read_template(const Json& value, const ComponentReader& reader) {
    const Json* specials = value.find("special_tokens");
    std::vector<std::uint32_t> front, back;
    bool behind_text = false;
    for (const Json& item : reader.list(value, "single")) {
        if (const Json* sequence = item.find("Sequence")) {
            if (reader.text(*sequence, "id") != "A" || behind_text)
                reader.refuse("a template for one text takes the text 'A' once");
            behind_text = true;
            continue;
        }
        const Json* token = item.find("SpecialToken");
        if (!token)
            reader.refuse("a template holds Sequence and SpecialToken only");
        std::string name = reader.text(*token, "id");
        const Json* known = specials ? specials->find(name) : nullptr;
        if (!known)
            reader.refuse(fmt::format("the template's token '{}' is not in special_tokens", name));
        for (const Json& id : reader.list(*known, "ids")) {
            std::int64_t number = id.integer();
            if (number < 0 || number >= Vocabulary::kNone)
                reader.refuse(fmt::format("the id {} of '{}' cannot be", number, name));
            (behind_text ? back : front).push_back(static_cast<std::uint32_t>(number));
        }
    }
    if (!behind_text)
        reader.refuse("a template without its text");
    before.insert(before.begin(), front.begin(), front.end());
    behind.insert(behind.end(), back.begin(), back.end());
}

void PostProcessor::read_into(const Json& value,
                              const ComponentReader& reader,
                              const FindToken& find,
                              int depth) {
    std::string type = reader.type_of(value, "post-processor");
    if (type == "Sequence") {
        if (depth == kDeepest)
            reader.refuse(fmt::format("post-processors nested deeper than {}", kDeepest));
        for (const Json& item : reader.list(value, "processors"))
            read_into(item, reader, find, depth + 1);
    } else if (type == "TemplateProcessing") {
        read_template(value, reader);
    } else if (type == "ByteLevel") {
        if (reader.flag(value, "trim_offsets", true))
            trims.push_back(reader.flag(value, "add_prefix_space", true));
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
        auto id_of = [&](std::string_view key) {
            const std::vector<Json>& pair = reader.list(value, key);
            if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number())
                reader.refuse(fmt::format("'{}' should be a token and its id", key));
            std::uint32_t known = find(pair[0].string());
            if (static_cast<std::int64_t>(known) != pair[1].integer())
                reader.refuse(fmt::format("the id {} of '{}' is not the vocabulary's",
                                          pair[1].integer(),
                                          pair[0].string()));
            return known;
        };
        before.insert(before.begin(), id_of("cls"));
        behind.push_back(id_of("sep"));
        if (type == "RobertaProcessing" && reader.flag(value, "trim_offsets", true))
            trims.push_back(reader.flag(value, "add_prefix_space", true));
    } else {
        reader.refuse(fmt::format("the post-processor '{}' is not known", type));
    }
    if (before.size() + behind.size() > kMostAdded)
        reader.refuse(fmt::format("more than {} tokens around each text", kMostAdded));
}

}  // namespace stillroom::lm
