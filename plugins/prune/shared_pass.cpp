#include "plugins/prune/shared_pass.h"

#include <map>
#include <numeric>

namespace stillroom::prune {
namespace {

using Take = std::function<void(std::size_t, const at::Tensor&)>;

struct Pass {
    const lm::Decoder& decoder;
    const lm::Batch& batch;
    const std::vector<Depth>& depths;
    const Take& take;

    bool ends(std::size_t candidate, std::size_t at) const {
        return at == depths[candidate].size();
    }

    /// How many layers from `at` on follow one another and are the next ones of all members.
    std::size_t shared(const std::vector<std::size_t>& members, std::size_t at) const {
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
    void run(at::Tensor x_TD, const std::vector<std::size_t>& members, std::size_t at) const {
        std::map<std::int64_t, std::vector<std::size_t>> next;
        for (std::size_t member : members) {
            if (ends(member, at))
                take(member, lm::head_input(decoder, x_TD));
            else
                next[depths[member][at]].push_back(member);
        }
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
    std::vector<std::size_t> all(depths.size());
    std::iota(all.begin(), all.end(), 0);
    Pass{decoder, batch, depths, take}.run(lm::embed(decoder, batch), all, 0);
}

}  // namespace stillroom::prune
