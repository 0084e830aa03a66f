#pragma once

#include "plugins/lm/modules/decoder.h"

#include <map>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A tiny model of tests/reference/models and what transformers computes with it.
struct Case {
    std::string name;
    std::string config_text;  ///< before what ModelConfig alone can say
    ModelConfig config;
    at::Tensor ids_BT;
    at::Tensor logits_BTV;  ///< fp32
    at::Tensor half_BTV;    ///< computed in bf16

    // Of a multimodal model, as transformers saves it.
    std::map<std::string, std::string> saved;  ///< names in the folder by those of a decoder alone
    std::map<std::string, std::vector<std::int64_t>> others;  ///< shapes of what is left out
};

const std::vector<Case>& cases();
const Case& case_named(const std::string& name);

/// By the rules that make.py describes.
at::Tensor made_numbers(const std::string& name, const std::vector<std::int64_t>& shape);
at::Tensor made_weight(const ModelConfig& config,
                       const std::string& name,
                       const std::vector<std::int64_t>& shape);

/// The decoder of a config, its weights made.
Decoder made_decoder(const ModelConfig& config, at::ScalarType type = at::kFloat);

/// Rows of logits, one a token.
at::Tensor logits_of(const Decoder& decoder, const Batch& batch);

double max_gap(const at::Tensor& a, const at::Tensor& b);
double cosine(const at::Tensor& a, const at::Tensor& b);

inline constexpr double kTolerance = 2e-5;  ///< of fp32 logits

}  // namespace stillroom::lm
