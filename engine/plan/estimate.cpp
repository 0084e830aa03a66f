#include "engine/plan/estimate.h"

#include "engine/base/codes.h"
#include "engine/base/units.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <set>

namespace stillroom {
namespace {

std::optional<double> cost_of(const PlannedStage& stage, const char* name) {
    if (!stage.description)
        return std::nullopt;
    auto found = stage.description->cost.find(name);
    bool is_known = found != stage.description->cost.end() && found->second >= 0;
    return is_known ? std::optional(found->second) : std::nullopt;
}

void add(std::optional<double>& sum, std::optional<double> value) {
    if (value)
        sum = sum.value_or(0) + *value;
}

std::string size(double bytes) {
    constexpr double kMost = 1.8e19;
    return size_text(static_cast<std::uint64_t>(std::min(bytes, kMost)));
}

}  // namespace

std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder) {
    std::filesystem::path at = std::filesystem::absolute(folder);
    struct statvfs space {};
    while (::statvfs(at.c_str(), &space) != 0) {
        if (!at.has_relative_path())
            return std::nullopt;
        at = at.parent_path();
    }
    return std::uint64_t{space.f_bavail} * space.f_frsize;
}

std::vector<Counted> counted_stages(const std::vector<const Plan*>& plans) {
    std::vector<Counted> out;
    std::set<std::string> seen;
    for (const Plan* plan : plans) {
        std::vector<std::string> identities =
            plans.size() > 1 ? stage_identities(plan->graph) : std::vector<std::string>();
        for (std::size_t i = 0; i < plan->stages.size(); ++i)
            if (plans.size() == 1 || seen.insert(identities[i]).second)
                out.push_back({&plan->graph.stages[i], &plan->stages[i]});
    }
    return out;
}

Totals add_up(const std::vector<Counted>& stages) {
    Totals totals;
    for (const Counted& each : stages) {
        const PlannedStage& stage = *each.planned;
        totals.run += stage.state == StageState::run;
        totals.cached += stage.state == StageState::cached;
        totals.blocked += stage.state == StageState::blocked;
        if (stage.state == StageState::cached)
            continue;
        totals.unknown += !stage.description || stage.description->cost.empty();
        add(totals.seconds, cost_of(stage, "seconds"));
        add(totals.disk_bytes, cost_of(stage, "disk_bytes"));
        add(totals.flops, cost_of(stage, "flops"));
        if (std::optional<double> memory = cost_of(stage, "memory_bytes"))
            totals.memory_bytes = std::max(totals.memory_bytes.value_or(0), *memory);
    }
    return totals;
}

void refuse_what_will_not_fit(const std::vector<Counted>& stages,
                              const Room& room,
                              Diagnostics& diagnostics) {
    double disk = 0;
    bool disk_is_full = false;
    for (const Counted& each : stages) {
        if (each.planned->state == StageState::cached)
            continue;
        auto refuse = [&](std::string message, std::string hint) {
            diagnostics.error(code::kWillNotFit, each.stage->where, std::move(message))
                .at_key("stages." + each.stage->name)
                .exits(kExitResource)
                .with_hint(std::move(hint));
        };
        std::optional<double> memory = cost_of(*each.planned, "memory_bytes");
        if (memory && room.memory_bytes > 0 && *memory > static_cast<double>(room.memory_bytes))
            refuse(fmt::format("stage '{}' will not fit: it needs {} of memory, there are {}",
                               each.stage->name,
                               size(*memory),
                               size_text(room.memory_bytes)),
                   "a smaller batch or sequence, or a machine with more memory");
        disk += cost_of(*each.planned, "disk_bytes").value_or(0);
        if (room.disk_free_bytes && disk > static_cast<double>(*room.disk_free_bytes) &&
            !disk_is_full) {
            disk_is_full = true;
            refuse(fmt::format("the store will be full at stage '{}': up to it {} are needed, {} "
                               "are free",
                               each.stage->name,
                               size(disk),
                               size_text(*room.disk_free_bytes)),
                   "`stillroom store gc --dry-run` says what can go; --store names another folder");
        }
    }
}

std::string time_text(double seconds) {
    constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
    if (seconds < 2 * kMinute)
        return fmt::format("{:.0f} s", seconds);
    if (seconds < 2 * kHour)
        return fmt::format("{:.0f} min", seconds / kMinute);
    if (seconds < 2 * kDay)
        return fmt::format("{:.1f} h", seconds / kHour);
    return fmt::format("{:.1f} days", seconds / kDay);
}

}  // namespace stillroom
