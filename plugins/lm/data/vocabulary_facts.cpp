#include "plugins/lm/data/vocabulary_facts.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json_value.h"
#include "engine/base/sha256.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/lm/tokenizer/tokenizer_files.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostConfig = std::size_t{16} << 20;
constexpr std::int64_t kMostIds = std::int64_t{1} << 31;

bool has_tokenizer(const fs::path& folder) {
    std::error_code ignored;
    for (std::string_view name : kTokenizerFiles)
        if (fs::exists(folder / name, ignored))
            return true;
    return false;
}

VocabularyFacts facts_of_config(const fs::path& file) {
    VocabularyFacts facts;
    try {
        Json config = Json::parse(read_file(file, kMostConfig), kMostConfig);
        facts.size = config.at("vocab_size").integer();
        if (facts.size < 1 || facts.size > kMostIds)
            throw Error({}, fmt::format("vocab_size is {}", facts.size));
        const Json* end = config.find("eos_token_id");
        if (end && end->is_list() && !end->list().empty())
            end = &end->list().front();
        if (end && end->is_number() && end->integer() >= 0 && end->integer() < facts.size)
            facts.eod = static_cast<std::uint32_t>(end->integer());
    } catch (Error& error) {
        error.note({}, fmt::format("in {}", file.string())).exit_code(kExitBadInput);
        throw;
    }
    return facts;
}

}  // namespace

std::string vocabulary_digest(const Tokenizer& tokenizer) {
    PlainSha256 hash;
    for (std::size_t id = 0; id < tokenizer.vocab_size(); ++id) {
        auto token = tokenizer.token_of(static_cast<std::uint32_t>(id));
        if (!token)
            continue;
        bool special = tokenizer.is_special(static_cast<std::uint32_t>(id));
        hash.add(fmt::format("{} {} {}\n", id, special ? "special" : "plain", token->size()));
        hash.add(*token);
    }
    std::string hex;
    for (unsigned char byte : hash.take())
        hex += fmt::format("{:02x}", byte);
    return hex;
}

VocabularyFacts vocabulary_facts(const Tokenizer& tokenizer) {
    return {static_cast<std::int64_t>(tokenizer.vocab_size()),
            tokenizer.special().end,
            vocabulary_digest(tokenizer)};
}

std::optional<VocabularyFacts> vocabulary_facts(const fs::path& folder) {
    std::error_code ignored;
    if (has_tokenizer(folder))
        return vocabulary_facts(Tokenizer::read(folder));
    if (fs::exists(folder / "config.json", ignored))
        return facts_of_config(folder / "config.json");
    return std::nullopt;
}

}  // namespace stillroom::lm
