#pragma once

#include "plugins/checkpoint/front_matter.h"
#include "plugins/checkpoint/inspection.h"
#include "plugins/checkpoint/lineage.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// A number of a report: "perplexity" 19.75, "mmlu.acc" 0.61.
struct Measured {
    std::string name;
    double value = 0;
};

/// The numbers of report.json, flat, at most 200; its lists are left out.
std::vector<Measured> measured_in(const std::filesystem::path& report);

/// What a model card is made of.
struct CardFacts {
    std::string name;  ///< of the model: the folder's
    Inspection model;
    Lineage lineage;
    FrontMatter source;             ///< of the card that the model came with
    std::vector<std::string> base;  ///< empty: what lineage and source say
    std::string license;            ///< empty: what the source says
    std::vector<std::string> tags;
    std::vector<std::pair<std::string, std::vector<Measured>>> reports;  ///< by what measured it
    std::string dtype;                                                   ///< "BF16"
    std::string checked;  ///< a sentence: what was compared; empty: nothing
};

/// The models that this one came from: as given, as the recipe says, as the source's card says.
std::vector<std::string> base_models(const CardFacts& facts);

/// README.md: front matter that the Hub reads, then the same for people. Every text from outside is
/// quoted or escaped.
std::string card_of(const CardFacts& facts);

}  // namespace stillroom::checkpoint
