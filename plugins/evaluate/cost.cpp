#include "plugins/evaluate/cost.h"

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/weight_table.h"

namespace stillroom::evaluate {
namespace fs = std::filesystem;

std::optional<lm::ModelConfig> config_of(const StageContext& context) {
    fs::path file = context.input("model") / "config.json";
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return std::nullopt;
    return lm::ConfigFile::read(file).model();
}

Cost cost_of(const lm::ModelConfig& config, double tokens, std::string_view dtype) {
    lm::Counts counts = lm::count(lm::weight_table(config));
    auto matrices = static_cast<double>(counts.active);
    Cost cost;
    cost.parameters = static_cast<std::uint64_t>(counts.total);
    cost.flops = 2 * matrices * tokens;
    std::uint64_t each = dtype == "bf16" || dtype == "fp16" ? 2 : 4;
    cost.memory_bytes = static_cast<std::uint64_t>(counts.total) * each;
    return cost;
}

}  // namespace stillroom::evaluate
