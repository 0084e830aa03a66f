#pragma once

#include "plugins/lm/weights/weight_table.h"
#include "plugins/prune/shape.h"

namespace stillroom::prune {

/// The serving case that memory is counted for.
struct Serving {
    std::int64_t batch = 1, sequence = 4096;
    double kv_bytes = 2, weight_bytes = 2;
};

struct Metrics {
    std::int64_t params = 0, active_params = 0;
    double weights_mib = 0, kv_mib = 0;

    double memory_mib() const { return weights_mib + kv_mib; }
};

/// Counts a model's shapes in closed form: the weight table, read once as products of sizes.
class ShapeCounter {
public:
    explicit ShapeCounter(const lm::ModelConfig& model, const Serving& serving = {});
    Metrics count(const Shape& shape) const;

private:
    struct Term {
        std::vector<lm::Dim> dims;
        std::int64_t times = 1;
    };
    static void add(std::vector<Term>& terms, const lm::Weight& weight);
    static std::int64_t sum(const std::vector<Term>& terms, const Shape& shape);

    std::vector<Term> base_, layer_;  // beside the layers, and of each of them
    std::int64_t head_dim_ = 0;
    Serving serving_;
};

}  // namespace stillroom::prune
