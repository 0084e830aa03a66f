#include "engine/recipe/order.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace stillroom {
namespace {

enum class Mark { fresh, open, done };

struct Arrow {
    std::size_t to;
    Span where;
};

/// Depth first with a stack of our own: a chain of a thousand stages must not be a thousand calls
/// deep.
class Sorter {
public:
    Sorter(const std::vector<StageReferences>& stages,
           std::set<std::size_t>& in_cycle,
           Diagnostics& diagnostics)
        : stages_(stages),
          in_cycle_(in_cycle),
          diagnostics_(diagnostics),
          marks_(stages.size(), Mark::fresh) {
        std::unordered_map<std::string_view, std::size_t> index;
        for (std::size_t i = 0; i < stages.size(); ++i)
            index.emplace(stages[i].name, i);
        arrows_.resize(stages.size());
        for (std::size_t i = 0; i < stages.size(); ++i)
            for (const NeededName& needed : stages[i].names)
                if (auto found = index.find(needed.name); found != index.end())
                    arrows_[i].push_back({found->second, needed.where});
    }

    std::vector<std::size_t> run() {
        for (std::size_t i = 0; i < stages_.size(); ++i)
            visit(i);
        std::stable_partition(
            order_.begin(), order_.end(), [&](std::size_t i) { return in_cycle_.count(i) == 0; });
        return order_;
    }

private:
    struct Frame {
        std::size_t stage;
        std::size_t next = 0;
    };

    void visit(std::size_t start) {
        if (marks_[start] != Mark::fresh)
            return;
        path_ = {{start, 0}};
        marks_[start] = Mark::open;
        while (!path_.empty()) {
            Frame& frame = path_.back();
            if (frame.next == arrows_[frame.stage].size()) {
                marks_[frame.stage] = Mark::done;
                order_.push_back(frame.stage);
                path_.pop_back();
                continue;
            }
            const Arrow& arrow = arrows_[frame.stage][frame.next++];
            if (marks_[arrow.to] == Mark::open)
                report(arrow);
            if (marks_[arrow.to] != Mark::fresh)
                continue;
            marks_[arrow.to] = Mark::open;
            path_.push_back({arrow.to, 0});
        }
    }

    void report(const Arrow& closing) {
        auto first = std::find_if(
            path_.begin(), path_.end(), [&](const Frame& f) { return f.stage == closing.to; });
        std::vector<std::string> names;
        for (auto frame = first; frame != path_.end(); ++frame) {
            names.push_back(stages_[frame->stage].name);
            in_cycle_.insert(frame->stage);
        }
        std::string text = names.front();
        for (std::size_t i = 1; i < names.size(); ++i)
            text += " needs " + names[i];
        auto& mistake = diagnostics_.error(
            code::kStageCycle,
            closing.where,
            names.size() == 1
                ? fmt::format("stage '{}' needs itself", text)
                : fmt::format("stages need each other: {} needs {}", text, names.front()));
        for (auto frame = first; frame + 1 < path_.end(); ++frame) {
            const Arrow& arrow = arrows_[frame->stage][frame->next - 1];
            mistake.note(arrow.where,
                         fmt::format("'{}' needs '{}' here",
                                     stages_[frame->stage].name,
                                     stages_[(frame + 1)->stage].name));
        }
    }

    const std::vector<StageReferences>& stages_;
    std::set<std::size_t>& in_cycle_;
    Diagnostics& diagnostics_;
    std::vector<Mark> marks_;
    std::vector<std::vector<Arrow>> arrows_;
    std::vector<Frame> path_;
    std::vector<std::size_t> order_;
};

}  // namespace

std::vector<std::size_t> sort_by_needs(const std::vector<StageReferences>& stages,
                                       std::set<std::size_t>& in_cycle,
                                       Diagnostics& diagnostics) {
    return Sorter(stages, in_cycle, diagnostics).run();
}

}  // namespace stillroom
