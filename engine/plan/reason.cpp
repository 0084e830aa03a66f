#include "engine/plan/reason.h"

#include "engine/base/text.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

std::string shown(const std::string& json) {
    constexpr std::size_t kMost = 40;
    return json.empty() ? "nothing" : shorten(json, kMost);
}

}  // namespace

std::string change_text(const FieldChange& change) {
    std::string_view field = change.field;
    std::size_t dot = field.find('.');
    std::string part(field.substr(0, dot));
    std::string name(dot == std::string_view::npos ? "" : field.substr(dot + 1));
    bool both = !change.before.empty() && !change.after.empty();
    if (part == "inputs" && both)
        return fmt::format("input {} has other content", name);
    if ((part == "outside" || part == "reads") && both)
        return fmt::format("{} has other content", name);
    if (part == "version")
        return fmt::format("x-version {} -> {}", shown(change.before), shown(change.after));
    if (part == "plugin" && both)
        return "another build of the plugin";
    if (part == "inputs" || part == "outside" || part == "reads" || part == "plugin")
        return fmt::format("{} {}", change.field, change.after.empty() ? "is gone" : "is new");
    return fmt::format("{}: {} -> {}", change.field, shown(change.before), shown(change.after));
}

void explain_miss(const CheckedStage& stage, const Store& store, PlannedStage& planned) {
    std::optional<Manifest> last = store.last_of(stage.name, stage.use);
    if (!last || last->key == planned.key)
        return;
    planned.changes = compare_records(last->record, planned.record);
    std::erase_if(planned.changes, [](const FieldChange& change) {
        return change.field == "nonce";  // each run's own
    });
    if (planned.changes.empty())
        return;
    const FieldChange& first = planned.changes.front();
    planned.reason = change_text(first);
    if (planned.changes.size() > 1)
        planned.reason += fmt::format(" and {} more", planned.changes.size() - 1);
    planned.cause = field_place(stage, first.field);
}

}  // namespace stillroom
