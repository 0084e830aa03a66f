#include "plugins/prune/search_report.h"

#include "engine/base/text.h"
#include "plugins/lm/config/grouped.h"

#include <fmt/format.h>

namespace stillroom::prune {
namespace {

std::string sizes_text(const Choice& choice) {
    return fmt::format("{}: {}", name_of(choice.hparam), fmt::join(choice.sizes, " "));
}

}  // namespace

void write_search(JsonWriter& out, const Found& found) {
    out.key("space"), out.integer(found.space);
    out.key("fit"), out.integer(found.fit);
    out.key("refused"), out.integer(found.refused);
    out.key("choices"), out.begin_object();
    for (const Choice& choice : found.choices) {
        out.key(name_of(choice.hparam)), out.begin_array();
        for (std::int64_t size : choice.sizes)
            out.integer(size);
        out.end_array();
    }
    out.end_object();
    out.key("smallest"), out.begin_object();
    out.key("params"), out.integer(found.smallest.params);
    out.key("active_params"), out.integer(found.smallest.active_params);
    out.key("memory_mib"), out.number(found.smallest.memory_mib());
    out.end_object();
}

void write_candidate(JsonWriter& out, const Candidate& candidate) {
    for (Hparam hparam : kHparams)
        out.key(name_of(hparam)), out.integer(candidate.shape.of(hparam));
    out.key("num_query_groups"), out.integer(candidate.shape.kv_heads);
    out.key("params"), out.integer(candidate.metrics.params);
    out.key("active_params"), out.integer(candidate.metrics.active_params);
    out.key("weights_mib"), out.number(candidate.metrics.weights_mib);
    out.key("kv_mib"), out.number(candidate.metrics.kv_mib);
    out.key("memory_mib"), out.number(candidate.metrics.memory_mib());
}

std::string search_text(const Found& found, const std::vector<Candidate>& candidates) {
    std::vector<std::string> sizes;
    for (const Choice& choice : found.choices)
        sizes.push_back(sizes_text(choice));
    std::string out = fmt::format("{} combinations ({}), {} fit",
                                  lm::grouped(found.space),
                                  fmt::join(sizes, "; "),
                                  lm::grouped(found.fit));
    if (found.refused > 0)
        out += fmt::format(", {} of them refused: transformers does not load such a shape",
                           lm::grouped(found.refused));
    out += fmt::format("\n{:>4} {:>7} {:>7} {:>7} {:>6} {:>17} {:>13} {:>9}\n",
                       "rank",
                       "layers",
                       "hidden",
                       "ffn",
                       "heads",
                       "parameters",
                       "weights MiB",
                       "KV MiB");
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto& [shape, metrics] = candidates[i];
        out += fmt::format("{:>4} {:>7} {:>7} {:>7} {:>6} {:>17} {:>13.1f} {:>9.1f}\n",
                           i + 1,
                           shape.layers,
                           shape.hidden,
                           shape.ffn,
                           shape.heads,
                           lm::grouped(metrics.params),
                           metrics.weights_mib,
                           metrics.kv_mib);
    }
    return out;
}

}  // namespace stillroom::prune
