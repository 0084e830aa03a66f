#include "plugins/prune/shared_pass.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace stillroom::prune {
namespace {

/// Candidates that keep the same layers so far: their residual stream is one.
using Members = std::vector<std::size_t>;
/// By those layers, in whose order streams go from stage to stage.
using Streams = std::map<Depth, Members>;

/// Those who are together before layer `layer` of the model.
Streams streams_before(std::size_t layer, const std::vector<Depth>& depths) {
    Streams out;
    for (std::size_t i = 0; i < depths.size(); ++i) {
        auto end =
            std::lower_bound(depths[i].begin(), depths[i].end(), static_cast<std::int64_t>(layer));
        out[Depth(depths[i].begin(), end)].push_back(i);
    }
    return out;
}

/// A stage's layers, which end before `last`.
struct Pass {
    const lm::Decoder& decoder;
    const lm::Batch& batch;
    const std::vector<Depth>& depths;
    std::size_t last;
    std::function<void(const Members& members, std::size_t at, const at::Tensor& x_TD)> leave;

    bool ends(std::size_t candidate, std::size_t at) const {
        const Depth& depth = depths[candidate];
        return at == depth.size() || depth[at] >= static_cast<std::int64_t>(last);
    }

    /// How many layers from `at` on follow one another and are the next ones of all members.
    std::size_t shared(const Members& members, std::size_t at) const {
        const Depth& one = depths[members.front()];
        std::size_t end = at;
        auto next_of_all = [&] {
            for (std::size_t member : members)
                if (ends(member, end) || depths[member][end] != one[end])
                    return false;
            return end == at || one[end] == one[end - 1] + 1;
        };
        while (end < one.size() && next_of_all())
            ++end;
        return end - at;
    }

    /// `members` have run their first `at` layers, which are the same.
    void run(const at::Tensor& x_TD, const Members& members, std::size_t at) const {
        Members gone;
        std::map<std::int64_t, Members> next;
        for (std::size_t member : members)
            (ends(member, at) ? gone : next[depths[member][at]]).push_back(member);
        if (!gone.empty())
            leave(gone, at, x_TD);
        for (const auto& [layer, those] : next) {
            std::size_t count = shared(those, at);
            auto first = static_cast<std::size_t>(layer);
            run(lm::run_layers(decoder, x_TD, batch, first, first + count), those, at + count);
        }
    }
};

}  // namespace

void run_depths(const lm::Decoder& decoder,
                const lm::Batch& batch,
                const std::vector<Depth>& depths,
                const Take& take) {
    Members all(depths.size());
    std::iota(all.begin(), all.end(), 0);
    auto leave = [&](const Members& members, std::size_t, const at::Tensor& x_TD) {
        at::Tensor hidden_TD = lm::head_input(decoder, x_TD);
        for (std::size_t member : members)
            take(member, hidden_TD);
    };
    Pass{decoder, batch, depths, decoder.layers.size(), leave}.run(
        lm::embed(decoder, batch), all, 0);
}

void run_depths(const lm::Decoder& decoder,
                const lm::Batch& batch,
                const std::vector<Depth>& depths,
                const lm::ModelPart& part,
                Line& line,
                const Take& take) {
    std::map<Depth, at::Tensor> out;
    auto leave = [&](const Members& members, std::size_t at, const at::Tensor& x_TD) {
        if (line.is_last()) {
            at::Tensor hidden_TD = lm::head_input(decoder, x_TD);
            for (std::size_t member : members)
                take(member, hidden_TD);
            return;
        }
        const Depth& depth = depths[members.front()];
        out[Depth(depth.begin(), depth.begin() + static_cast<std::ptrdiff_t>(at))] = x_TD;
    };
    Pass pass{decoder, batch, depths, part.last_layer, leave};
    for (const auto& [so_far, members] : streams_before(part.first_layer, depths))
        pass.run(line.is_first() ? lm::embed(decoder, batch)
                                 : line.receive(batch.ids_T.size(0), decoder.config.hidden),
                 members,
                 so_far.size());
    for (const auto& [so_far, x_TD] : out)
        line.send(x_TD);
}

}  // namespace stillroom::prune
