#include "plugins/prune/layout_of.h"

#include "engine/base/error.h"
#include "engine/plugin/settings.h"

namespace stillroom::prune {

lm::Layout checked_layout(const lm::LayoutWish& wish,
                          std::int64_t world,
                          const lm::ModelConfig& model,
                          std::string_view key) {
    std::vector<lm::LayoutProblem> problems;
    lm::Layout layout = lm::lay_out(wish, world, model, problems);
    if (problems.empty())
        return layout;
    Error error({}, problems.front().message);
    error.key(setting_below(key, problems.front().key))
        .hint(problems.front().hint)
        .exit_code(kExitUsage);
    for (std::size_t i = 1; i < problems.size(); ++i)
        error.note({}, problems[i].message + "; " + problems[i].hint);
    throw error;
}

}  // namespace stillroom::prune
