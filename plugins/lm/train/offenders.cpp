#include "plugins/lm/train/offenders.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostNames = 3;

/// "a, b, c and 7 more"
std::string some_of(const std::vector<std::string>& names) {
    std::size_t shown = std::min(names.size(), kMostNames);
    std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
    return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

std::vector<std::string> not_finite(const Parameters& parameters, const at::Tensor& flat_N) {
    std::vector<std::string> names;
    for (const Parameter& one : parameters.list()) {
        at::Tensor good = at::isfinite(Parameters::part(flat_N, one));
        if (std::int64_t bad = one.count - good.sum().item<std::int64_t>(); bad > 0)
            names.push_back(fmt::format("{} ({} of {} numbers)", one.held.name, bad, one.count));
    }
    return names;
}

std::vector<std::string> largest(const Parameters& parameters) {
    std::vector<std::pair<double, std::string>> found;
    for (const Parameter& one : parameters.list())
        found.emplace_back(Parameters::part(parameters.weights_N, one).abs().max().item<double>(),
                           one.held.name);
    std::size_t shown = std::min(found.size(), kMostNames);
    std::partial_sort(found.begin(), found.begin() + shown, found.end(), std::greater<>());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < shown; i++)
        names.push_back(fmt::format("{} ({:.3g})", found[i].second, found[i].first));
    return names;
}

}  // namespace

std::vector<std::string> offenders(const Parameters& parameters) {
    std::vector<std::string> told;
    std::vector<std::string> weights = not_finite(parameters, parameters.weights_N);
    told.push_back(weights.empty() ? "largest weights: " + some_of(largest(parameters))
                                   : "weights that are not finite: " + some_of(weights));
    std::vector<std::string> gradients = not_finite(parameters, parameters.gradient_N);
    if (!gradients.empty())
        told.push_back("gradients that are not finite: " + some_of(gradients));
    return told;
}

}  // namespace stillroom::lm
