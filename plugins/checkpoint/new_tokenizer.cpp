#include "plugins/checkpoint/new_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace stillroom::checkpoint {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostTokenizer = std::size_t{512} << 20;
constexpr std::int64_t kMostIds = std::int64_t{1} << 28;

std::optional<Json> read_json(const fs::path& file) {
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return std::nullopt;
    try {
        return Json::parse(read_file(file, kMostTokenizer), kMostTokenizer);
    } catch (Error& error) {
        error.note({}, fmt::format("in {}", file.string())).exit_code(kExitBadInput);
        throw;
    }
}

/// The added tokens' ids by their text, and one more than the highest id of all.
struct Vocabulary {
    std::map<std::string, std::int64_t> added;
    std::int64_t ids = 0;

    void see(std::int64_t id, const fs::path& file) {
        if (id < 0 || id >= kMostIds)
            throw Error({}, fmt::format("{}: a token has the id {}", file.string(), id))
                .exit_code(kExitBadInput);
        ids = std::max(ids, id + 1);
    }
};

Vocabulary read_vocabulary(const fs::path& file) {
    Vocabulary out;
    std::optional<Json> root = read_json(file);
    if (!root)
        return out;
    const Json* model = root->find("model");
    if (const Json* vocab = model ? model->find("vocab") : nullptr) {
        if (vocab->is_map())
            for (const Json::Member& token : vocab->map())
                out.see(token.value.integer(), file);
        else if (vocab->is_list() && !vocab->list().empty())
            out.see(static_cast<std::int64_t>(vocab->list().size()) - 1, file);
    }
    if (const Json* added = root->find("added_tokens"); added && added->is_list())
        for (const Json& token : added->list()) {
            out.see(token.at("id").integer(), file);
            out.added[token.at("content").string()] = token.at("id").integer();
        }
    return out;
}

/// A token of tokenizer_config.json: its text, or a map with the text.
std::optional<std::int64_t> id_of(const Json& config,
                                  std::string_view key,
                                  const Vocabulary& vocabulary) {
    const Json* token = config.find(key);
    if (token && token->is_map())
        token = token->find("content");
    if (!token || !token->is_string())
        return std::nullopt;
    auto found = vocabulary.added.find(token->string());
    return found == vocabulary.added.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::int64_t> ids_of(const Json& value) {
    std::vector<std::int64_t> out;
    if (value.is_list())
        for (const Json& item : value.list())
            out.push_back(item.integer());
    else if (value.is_number())
        out.push_back(value.integer());
    return out;
}

/// What the model that the tokenizer comes from says itself.
void take_ids(const Json& config, lm::TokenIds& out) {
    auto one = [&](std::string_view key, std::optional<std::int64_t>& id) {
        if (const Json* value = config.find(key); value && value->is_number())
            id = value->integer();
    };
    one("bos_token_id", out.bos);
    one("pad_token_id", out.pad);
    if (const Json* eos = config.find("eos_token_id"); eos && !eos->is_null())
        out.eos = ids_of(*eos);
}

}  // namespace

TokenizerFacts tokenizer_facts(const fs::path& folder) {
    TokenizerFacts out;
    Vocabulary vocabulary = read_vocabulary(folder / "tokenizer.json");
    out.ids = vocabulary.ids;
    if (std::optional<Json> config = read_json(folder / "tokenizer_config.json")) {
        out.special.bos = id_of(*config, "bos_token", vocabulary);
        out.special.pad = id_of(*config, "pad_token", vocabulary);
        if (std::optional<std::int64_t> eos = id_of(*config, "eos_token", vocabulary))
            out.special.eos = {*eos};
    }
    for (const char* name : {"config.json", "generation_config.json"})
        if (std::optional<Json> config = read_json(folder / name))
            take_ids(*config, out.special);
    return out;
}

}  // namespace stillroom::checkpoint
