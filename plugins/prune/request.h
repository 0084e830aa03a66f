#pragma once

#include "engine/base/error.h"
#include "plugins/prune/minitron_settings.h"
#include "plugins/prune/search.h"

namespace stillroom::prune {

// What a recipe asks of a model, held to that model: by config.json alone, before a weight is read.
// Every mistake is found in one go; the first is the error, the others are its notes. Exit 2.

/// Manual mode.
struct ManualRequest {
    Shape shape;
    std::optional<std::vector<std::int64_t>> layers;  ///< that stay, ascending; none: by score
};
ManualRequest manual_request(const MinitronSettings& settings, const lm::ModelConfig& model);

/// Search mode: the options, then what was found with them. Throws where no candidate is left.
SearchOptions search_options(const MinitronSettings& settings, const lm::ModelConfig& model);
Found search_for(const MinitronSettings& settings, const lm::ModelConfig& model);

/// Candidates that get scored, or a first look: top_k, or prefilter.from.
std::vector<Candidate> candidates_of(const MinitronSettings& settings, const Found& found);

/// The names of `hooks` or `skip` that the model has. Throws Error (exit 2) for one that it lacks.
template <class Word>
std::set<Hparam> hparams_of(const std::vector<Word>& words, std::string_view key);

/// "num_layers, hidden_size, ffn_hidden_size and num_attention_heads"
std::string all_hparams();

template <class Word>
std::set<Hparam> hparams_of(const std::vector<Word>& words, std::string_view key) {
    std::set<Hparam> out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::optional<Hparam> one = hparam_named(word(words[i]));
        if (!one)
            throw Error({}, std::string(word(words[i])) + " is not in this model")
                .key(setting_item(key, i))
                .hint("it has " + all_hparams())
                .exit_code(kExitUsage);
        out.insert(*one);
    }
    return out;
}

}  // namespace stillroom::prune
