#include "plugins/data/blending.h"

#include "engine/base/error.h"
#include "plugins/data/blend_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace stillroom::data {
namespace fs = std::filesystem;
namespace {

/// Enough for shares; in a plan it may not be known.
double size_of(const lm::DatasetInfo& info) {
    lm::Count tokens = info.tokens();
    return static_cast<double>(std::max<std::int64_t>(tokens.most.value_or(tokens.least), 1));
}

void share_out(lm::DatasetInfo& info, double weight) {
    bool weighted = info.weighted();
    double sum = 0;
    for (lm::DatasetPart& part : info.parts) {
        if (!weighted)
            part.weight = static_cast<double>(
                std::max<std::int64_t>(part.tokens.most.value_or(part.tokens.least), 1));
        sum += *part.weight;
    }
    for (lm::DatasetPart& part : info.parts)
        part.weight = weight * *part.weight / sum;
    if (info.parts.size() == 1)
        info.parts.front().weight = weight;
}

[[noreturn]] void refuse_other(std::size_t index, const std::string& what) {
    throw Error({}, fmt::format("dataset {} of the blend {}", index + 1, what))
        .hint("mix datasets that one tokenizer made")
        .exit_code(kExitBadInput);
}

/// What one input knows of its tokens and another does not stands for both.
void agree(lm::DatasetInfo& all, const lm::DatasetInfo& one, std::size_t index) {
    if (!one.tokenizer.empty()) {
        if (!all.tokenizer.empty() && all.tokenizer != one.tokenizer)
            refuse_other(index,
                         fmt::format("is of tokenizer {}, one before it of {}",
                                     one.tokenizer.substr(0, 12),
                                     all.tokenizer.substr(0, 12)));
        all.tokenizer = one.tokenizer;
    }
    if (one.vocabulary) {
        if (all.vocabulary && all.vocabulary != one.vocabulary)
            refuse_other(index,
                         fmt::format("has a vocabulary of {}, one before it of {}",
                                     *one.vocabulary,
                                     *all.vocabulary));
        all.vocabulary = one.vocabulary;
    }
    if (one.eod)
        all.eod = one.eod;
}

}  // namespace

lm::DatasetInfo blend(const std::vector<BlendInput>& inputs, const std::vector<double>& weights) {
    bool weighted =
        !weights.empty() || std::any_of(inputs.begin(), inputs.end(), [](const BlendInput& input) {
            return input.info.weighted();
        });
    lm::DatasetInfo out;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        lm::DatasetInfo info = inputs[i].info;
        agree(out, info, i);
        if (weighted)
            share_out(info, weights.empty() ? size_of(info) : weights[i]);
        for (lm::DatasetPart& part : info.parts) {
            part.prefix = (inputs[i].folder / part.prefix).lexically_normal();
            out.parts.push_back(part);
        }
        out.source.insert(out.source.end(), info.source.begin(), info.source.end());
    }
    return out;
}

std::vector<fs::path> name_parts(lm::DatasetInfo& info) {
    std::vector<fs::path> prefixes;
    std::set<std::string> taken;
    for (lm::DatasetPart& part : info.parts) {
        std::string name = part.prefix.filename().string();
        // Blanks part the words of Megatron's blend files.
        std::replace_if(
            name.begin(), name.end(), [](char c) { return c == ' ' || (c >= 9 && c <= 13); }, '_');
        std::string free = name;
        for (int next = 2; !taken.insert(free).second; ++next)
            free = fmt::format("{}-{}", name, next);
        prefixes.push_back(std::exchange(part.prefix, free));
    }
    return prefixes;
}

void link_parts(lm::DatasetInfo& info, const fs::path& output) {
    std::vector<fs::path> prefixes = name_parts(info);
    for (std::size_t i = 0; i < prefixes.size(); ++i)
        for (const char* ending : {".bin", ".idx"})
            fs::create_symlink(fs::absolute(prefixes[i].native() + ending),
                               output / (info.parts[i].prefix.native() + ending));
}

std::string blend_text_of(const lm::DatasetInfo& info) {
    std::vector<BlendEntry> entries;
    for (const lm::DatasetPart& part : info.parts)
        entries.push_back({part.prefix.generic_string(), part.weight});
    return blend_text(entries).value_or("");
}

}  // namespace stillroom::data
