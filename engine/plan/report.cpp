#include "engine/plan/report.h"

#include "engine/document/scalar.h"
#include "engine/recipe/settings.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

void write_text(JsonWriter& out, std::string_view key, const std::string& text) {
    out.key(key), text.empty() ? out.null() : out.string(text);
}

void write_place(JsonWriter& out, Span where, const Sources& sources) {
    Position at = sources.position(where.begin);
    write_text(out, "file", at.file);
    out.key("line"), at.line == 0 ? out.null() : out.integer(at.line);
    out.key("column"), at.column == 0 ? out.null() : out.integer(at.column);
}

void write_number(JsonWriter& out, std::string_view key, std::optional<double> value) {
    out.key(key), value ? out.number(*value) : out.null();
}

void write_inputs(JsonWriter& out, const CheckedStage& stage, const PlannedStage& planned) {
    out.begin_object();
    for (const Input& input : stage.inputs) {
        auto digests = planned.parts.inputs.find(input.port);
        bool all_known =
            digests != planned.parts.inputs.end() && digests->second.size() == input.feeds.size();
        out.key(input.port), out.begin_array();
        for (std::size_t i = 0; i < input.feeds.size(); ++i) {
            out.begin_object();
            out.key("stage"), out.string(input.feeds[i].stage);
            out.key("output"), out.string(input.feeds[i].output);
            write_text(out, "digest", all_known ? digests->second[i] : "");
            out.end_object();
        }
        out.end_array();
    }
    out.end_object();
}

void write_outputs(JsonWriter& out, const CheckedStage& stage, const PlannedStage& planned) {
    out.begin_object();
    for (const OutputDeclaration& output : stage.type->outputs) {
        if (!has_output(output, *stage.settings))
            continue;
        auto digest = planned.outputs.find(output.name);
        auto path = planned.paths.find(output.name);
        out.key(output.name), out.begin_object();
        out.key("type"), out.string(output.type);
        write_text(out, "digest", digest == planned.outputs.end() ? "" : digest->second);
        write_text(out, "path", path == planned.paths.end() ? "" : path->second.string());
        out.end_object();
    }
    out.end_object();
}

void write_description(JsonWriter& out, const std::optional<Description>& description) {
    auto cost = [&](const char* name) -> std::optional<double> {
        if (!description)
            return std::nullopt;
        auto found = description->cost.find(name);
        return found == description->cost.end() ? std::nullopt : std::optional(found->second);
    };
    for (const char* name : {"memory_bytes", "disk_bytes", "seconds", "flops", "parameters"})
        write_number(out, name, cost(name));
    out.key("describe");
    if (description && !description->skeletons.empty())
        out.raw(description->skeletons);
    else
        out.null();
}

void write_stage(JsonWriter& out,
                 const CheckedStage& stage,
                 const PlannedStage& planned,
                 const Sources& sources) {
    out.begin_object();
    out.key("name"), out.string(stage.name);
    out.key("use"), out.string(stage.use);
    out.key("inserted"), out.boolean(stage.inserted);
    out.key("state"), out.string(state_name(planned.state));
    out.key("reason"), out.string(planned.reason);
    write_place(out, planned.cause, sources);
    write_text(out, "key", planned.key);
    out.key("inputs"), write_inputs(out, stage, planned);
    out.key("outputs"), write_outputs(out, stage, planned);
    out.key("ranks"), out.integer(ranks_of(stage));
    write_description(out, planned.description);
    write_text(out, "machine", planned.machine);
    write_text(out, "failed", planned.failed);
    out.key("changes"), write_changes(out, stage, planned.changes, sources);
    out.end_object();
}

}  // namespace

std::string_view state_name(StageState state) {
    switch (state) {
        case StageState::run:
            return "run";
        case StageState::cached:
            return "cached";
        case StageState::blocked:
            break;
    }
    return "blocked";
}

void write_stages(JsonWriter& out, const Plan& plan, const Sources& sources) {
    out.begin_array();
    for (std::size_t i = 0; i < plan.stages.size(); ++i)
        write_stage(out, plan.graph.stages[i], plan.stages[i], sources);
    out.end_array();
}

void write_changes(JsonWriter& out,
                   const CheckedStage& stage,
                   const std::vector<FieldChange>& changes,
                   const Sources& sources) {
    auto value = [&](std::string_view key, const std::string& json) {
        out.key(key), json.empty() ? out.null() : out.raw(json);
    };
    out.begin_array();
    for (const FieldChange& change : changes) {
        out.begin_object();
        out.key("field"), out.string(change.field);
        value("before", change.before);
        value("after", change.after);
        write_place(out, field_place(stage, change.field), sources);
        out.end_object();
    }
    out.end_array();
}

void write_totals(JsonWriter& out, const Totals& totals, const Room& room) {
    auto count = [&](std::string_view key, std::size_t value) {
        out.key(key), out.integer(static_cast<std::int64_t>(value));
    };
    out.begin_object();
    count("run", totals.run);
    count("cached", totals.cached);
    count("blocked", totals.blocked);
    count("undescribed", totals.unknown);
    write_number(out, "memory_bytes", totals.memory_bytes);
    write_number(out, "disk_bytes", totals.disk_bytes);
    write_number(out, "seconds", totals.seconds);
    write_number(out, "flops", totals.flops);
    out.key("machine"), out.begin_object();
    write_number(out,
                 "memory_bytes",
                 room.memory_bytes > 0 ? std::optional(static_cast<double>(room.memory_bytes))
                                       : std::nullopt);
    write_number(out,
                 "disk_free_bytes",
                 room.disk_free_bytes ? std::optional(static_cast<double>(*room.disk_free_bytes))
                                      : std::nullopt);
    out.end_object();
    out.end_object();
}

}  // namespace stillroom
