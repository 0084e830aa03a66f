#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "plugins/lm/tokenizer/tokenizer_cache.h"
#include "plugins/lm/tokenizer/tokenizer_files.h"
#include "plugins/lm/tokenizer/tokenizer_parts.h"

#include <fmt/format.h>

#include <algorithm>

// Which file of a folder is the tokenizer, and what the files beside it say of special tokens.

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostConfig = std::size_t{16} << 20;

std::string read_text(const fs::path& path, std::size_t limit) {
    try {
        return read_file(path, limit);
    } catch (Error& error) {
        error.exit_code(kExitBadInput);
        throw;
    }
}

Json read_json(const fs::path& path) {
    if (!fs::exists(path))
        return Json();
    try {
        return Json::parse(read_text(path, kMostConfig), kMostConfig);
    } catch (Error& error) {
        error.note({path.string()}, "read for the special tokens");
        throw;
    }
}

/// "eos_token": "</s>" or {"content": "</s>"}
std::optional<std::uint32_t> token_of(const TokenizerParts& parts,
                                      const Json& config,
                                      std::string_view key) {
    const Json* value = config.find(key);
    if (value && value->is_map())
        value = value->find("content");
    if (!value || !value->is_string())
        return std::nullopt;
    std::uint32_t id = parts.find(value->string());
    return id == Vocabulary::kNone ? std::nullopt : std::optional(id);
}

void read_specials(TokenizerParts& parts, const fs::path& folder) {
    Json config = read_json(folder / kTokenizerConfig);
    SpecialIds& special = parts.special;
    auto fill = [&](std::optional<std::uint32_t>& into, std::string_view key) {
        if (std::optional<std::uint32_t> found = token_of(parts, config, key))
            into = found;
    };
    fill(special.begin, "bos_token");
    fill(special.end, "eos_token");
    fill(special.padding, "pad_token");
    fill(special.unknown, "unk_token");
    Json generation = read_json(folder / kGenerationConfig);
    const Json* stops = generation.find("eos_token_id");
    auto take = [&](const Json& id) {
        std::int64_t value = id.is_number() ? id.integer() : -1;
        if (value >= 0 && static_cast<std::uint64_t>(value) < parts.id_end())
            special.stops.push_back(static_cast<std::uint32_t>(value));
    };
    if (stops && stops->is_list())
        std::for_each(stops->list().begin(), stops->list().end(), take);
    else if (stops)
        take(*stops);
    if (special.stops.empty() && special.end)
        special.stops.push_back(*special.end);
}

/// By its content, whatever its name: JSON, lines of ranks, or a SentencePiece model.
std::shared_ptr<TokenizerParts> read_any(const fs::path& file) {
    bool tekken = file.filename() == "tekken.json";
    if (!tekken && file.extension() == ".json")
        if (std::shared_ptr<TokenizerParts> parts =
                read_by_cache(file, cache_folder() / "tokenizers"))
            return parts;
    std::string text = read_text(file, kMostTokenizerBytes);
    std::string name = file.string();
    if (tekken)
        return read_tekken(text, name);
    if (text.starts_with('{'))
        return read_tokenizer_json(text, name);
    if (looks_like_ranks(text))
        return read_ranks(text, name);
    if (file.extension() == ".json")
        return read_tokenizer_json(text, name);
    return read_sentencepiece(text, name);
}

}  // namespace

Tokenizer Tokenizer::read(const fs::path& path) {
    fs::path file = path;
    if (fs::is_directory(path)) {
        for (std::string_view name : kTokenizerFiles) {
            file = path / name;
            if (fs::exists(file))
                break;
        }
        if (!fs::exists(file))
            throw Error({},
                        fmt::format("{} has no tokenizer.json, tekken.json or tokenizer.model",
                                    path.string()))
                .hint("copy these files there from the model that this one was made of")
                .exit_code(kExitBadInput);
    }
    std::shared_ptr<TokenizerParts> parts = read_any(file);
    read_specials(*parts, file.parent_path());
    return Tokenizer(parts);
}

}  // namespace stillroom::lm
