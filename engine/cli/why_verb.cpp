#include "engine/base/codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/checked_jobs.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/plan/report.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

/// A stage's record as far as it is known now, held against that of its newest entry.
struct Comparison {
    std::optional<Manifest> stored;
    std::vector<FieldChange> changes;
    std::vector<std::string> unknown;  ///< fields that are not known yet: "inputs.model"
};

bool stands_below(const std::string& field, const std::string& above) {
    return field == above || field.starts_with(above + ".");
}

/// The fields that wait for another stage, or for a source that is not read yet.
std::vector<std::string> unknown_fields(const CheckedStage& stage, const PlannedStage& planned) {
    std::vector<std::string> fields;
    if (planned.state != StageState::blocked)
        return fields;
    for (const Input& input : stage.inputs) {
        auto known = planned.parts.inputs.find(input.port);
        if (known == planned.parts.inputs.end() || known->second.size() < input.feeds.size())
            fields.push_back("inputs." + input.port);
    }
    for (const OutsidePath& path : outside_paths(stage))
        if (path.local && !planned.parts.outside.contains(path.setting)) {
            fields.push_back("outside." + path.setting);
            fields.push_back("settings." + path.setting);
        }
    return fields;
}

Comparison compare(const CheckedStage& stage, const PlannedStage& planned, const Store& store) {
    Comparison out;
    out.stored = store.last_of(stage.name, stage.use);
    out.unknown = unknown_fields(stage, planned);
    if (!out.stored)
        return out;
    out.changes = compare_records(out.stored->record, key_record(stage, planned.parts));
    std::erase_if(out.changes, [&](const FieldChange& change) {
        return change.field == "nonce" ||
               std::any_of(out.unknown.begin(), out.unknown.end(), [&](const std::string& field) {
                   return stands_below(change.field, field);
               });
    });
    std::erase_if(out.unknown,
                  [](const std::string& field) { return field.starts_with("settings."); });
    return out;
}

std::string value_text(const std::string& json) {
    constexpr std::size_t kMost = 60;
    return json.empty() ? "nothing" : escape_controls(shorten(json, kMost));
}

/// What became of a field. The digest of an artifact tells a reader nothing: who made it does.
std::string change_text(const CheckedStage& stage, const FieldChange& change) {
    for (const Input& input : stage.inputs) {
        if (change.field != "inputs." + input.port || change.before.empty() || change.after.empty())
            continue;
        std::vector<std::string> makers;
        for (const Feed& feed : input.feeds)
            makers.push_back(feed.stage);
        return fmt::format("another {} from {}", input.type, join(makers));
    }
    return value_text(change.before) + " -> " + value_text(change.after);
}

std::string why_text(const CheckedStage& stage,
                     const PlannedStage& planned,
                     const Comparison& comparison,
                     const Sources& sources) {
    auto place = [&](Span where) {
        std::string text = sources.position(where.begin).text();
        return text.empty() ? "" : "  " + escape_controls(text);
    };
    std::string out = fmt::format("{} ({}) {}: {}{}\n",
                                  stage.name,
                                  stage.use,
                                  state_name(planned.state),
                                  escape_controls(planned.reason),
                                  place(planned.cause));
    if (!comparison.stored)
        return out + "nothing is stored of it yet\n";
    out += fmt::format("against {}, made {}\n",
                       comparison.stored->key,
                       escape_controls(comparison.stored->created));
    for (const FieldChange& change : comparison.changes)
        out += fmt::format("  {}: {}{}\n",
                           escape_controls(change.field),
                           change_text(stage, change),
                           place(field_place(stage, change.field)));
    if (comparison.changes.empty())
        out +=
            comparison.unknown.empty() ? "  nothing has changed\n" : "  nothing else has changed\n";
    for (const std::string& field : comparison.unknown)
        out += fmt::format("  {}: not known yet\n", escape_controls(field));
    return out;
}

void write_why(JsonWriter& out,
               const CheckedStage& stage,
               const PlannedStage& planned,
               const Comparison& comparison,
               const Sources& sources) {
    auto text = [&](std::string_view name, const std::string& value) {
        out.key(name), value.empty() ? out.null() : out.string(value);
    };
    const std::optional<Manifest>& stored = comparison.stored;
    out.begin_object();
    out.key("name"), out.string(stage.name);
    out.key("use"), out.string(stage.use);
    out.key("state"), out.string(state_name(planned.state));
    out.key("reason"), out.string(planned.reason);
    text("key", planned.key);
    text("stored", stored ? stored->key : "");
    text("created", stored ? stored->created : "");
    out.key("changes"), write_changes(out, stage, comparison.changes, sources);
    out.key("unknown"), out.begin_array();
    for (const std::string& field : comparison.unknown)
        out.string(field);
    out.end_array();
    out.end_object();
}

}  // namespace

void run_why(Command& command) {
    const std::vector<Word>& words = command.line.words;
    Catalog catalog(command.sources, schema_folders());
    std::optional<CheckedJob> job = checked_recipe(command, catalog, words.front(), 2);
    if (!job)
        return;
    const Checked& checked = job->checked;
    std::vector<std::string> names;
    for (const CheckedStage& stage : checked.stages)
        names.push_back(stage.name);
    if (std::find(names.begin(), names.end(), words[1].text) == names.end()) {
        std::string near = did_you_mean(words[1].text, names);
        command.diagnostics
            .error(code::kUnknownStage,
                   words[1].where,
                   fmt::format("there is no stage '{}'", words[1].text))
            .with_hint(near.empty() ? fmt::format("there is {}", join(names)) : near);
        return;
    }
    Store store(store_of(command));
    PlanOptions options;
    options.explain = false;
    Plan plan = make_plan(build_graph(checked), store, options, command.diagnostics);
    for (std::size_t i = 0; i < plan.stages.size(); ++i) {
        const CheckedStage& stage = plan.graph.stages[i];
        if (stage.name != words[1].text)
            continue;
        Comparison comparison = compare(stage, plan.stages[i], store);
        command.text = why_text(stage, plan.stages[i], comparison, command.sources);
        command.write_result([&](JsonWriter& out) {
            write_why(out, stage, plan.stages[i], comparison, command.sources);
        });
    }
}

}  // namespace stillroom::cli
