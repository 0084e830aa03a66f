#include "plugins/lm/weights/pre_tokenizers.h"

#include <array>

namespace stillroom::lm {
namespace {

constexpr std::string_view kLlama3 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)re"
    R"re( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kQwen2 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)re"
    R"re( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kQwen35 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)re"
    R"re( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kO200k =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)re"
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|)re"
    R"re( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kTekken =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)re"
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)re"
    R"re( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

constexpr std::array<PreTokenizer, 12> kKnown = {{
    {.name = "gpt-2", .pattern = ""},
    {.name = "smollm", .pattern = "", .single_digits = true},
    {.name = "starcoder", .pattern = "", .single_digits = true},
    {.name = "refact", .pattern = "", .single_digits = true},
    {.name = "llama-bpe", .pattern = kLlama3, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .pattern = kLlama3, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .pattern = kLlama3, .ignore_merges = true, .add_bos = true},
    {.name = "qwen2", .pattern = kQwen2, .nfc = true},
    {.name = "deepseek-r1-qwen", .pattern = kQwen2, .nfc = true},
    {.name = "qwen35", .pattern = kQwen35, .nfc = true},
    {.name = "gpt-4o", .pattern = kO200k},
    {.name = "tekken", .pattern = kTekken, .ignore_merges = true, .add_bos = true},
}};

}  // namespace

const PreTokenizer* pre_tokenizer_named(std::string_view name) {
    for (const PreTokenizer& known : kKnown)
        if (known.name == name)
            return &known;
    return nullptr;
}

std::vector<std::string> pre_tokenizer_names() {
    std::vector<std::string> names;
    for (const PreTokenizer& known : kKnown)
        names.emplace_back(known.name);
    return names;
}

}  // namespace stillroom::lm
