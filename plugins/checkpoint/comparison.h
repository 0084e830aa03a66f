#pragma once

#include "plugins/lm/config/config_text.h"
#include "plugins/lm/weights/tensor_folder.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// A key of config.json, dotted, and its text on either side; empty: not there.
struct ConfigDifference {
    std::string key, one, other;
};

/// Numbers of two tensors of one shape, as fp64. Where either is NaN or infinite and the other is
/// not the same, it counts as not comparable.
struct NumberDifference {
    std::uint64_t count = 0, differing = 0, not_comparable = 0;
    double max = 0;      ///< of |a - b|
    double squares = 0;  ///< sum of (a - b)²
    double dot = 0, one = 0, other = 0;

    double rms() const;
    double cosine() const;  ///< 1 for two zero tensors
    void add(const NumberDifference& more);
};

struct TensorDifference {
    std::string name;
    std::string dtype, other_dtype;
    lm::Shape shape, other_shape;
    NumberDifference numbers;  ///< of equal shapes

    bool same_shape() const { return shape == other_shape; }
    bool same_numbers() const {
        return same_shape() && numbers.differing == 0 && numbers.not_comparable == 0;
    }
    bool is_equal() const { return same_numbers() && dtype == other_dtype; }
};

struct Comparison {
    std::vector<ConfigDifference> config;
    std::vector<std::string> only_one, only_other;  ///< tensors of one side alone
    std::vector<TensorDifference> tensors;          ///< of both, by name
    NumberDifference all;                           ///< of those of equal shapes
    bool has_weights = false;                       ///< both sides have
};

/// Keys whose values differ, whatever their order and spelling: 1e-6 and 0.000001 are one number.
std::vector<ConfigDifference> compare_configs(const lm::ConfigText& one,
                                              const lm::ConfigText& other);

NumberDifference compare_numbers(const lm::FolderTensor& one,
                                 const lm::FolderTensor& other,
                                 unsigned threads);

/// Reads both folders' weights once, a piece at a time. Neither need be a model that we support:
/// folders are compared as they are.
Comparison compare(const std::filesystem::path& one,
                   const std::filesystem::path& other,
                   unsigned threads,
                   const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

std::string json_of(const Comparison& comparison);
/// `list`: every tensor; else the ten that differ most.
std::string text_of(const Comparison& comparison, bool list);

}  // namespace stillroom::checkpoint
