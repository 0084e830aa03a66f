#include "engine/plan/describe.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/settings.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace stillroom {
namespace {

void gather_given(const Node& map, const std::string& path, std::vector<std::string>& out) {
    for (const Entry& entry : map.entries) {
        if (entry.value->origin == Origin::schema_default)
            continue;
        std::string key = path.empty() ? entry.key : path + "." + entry.key;
        out.push_back(key);
        gather_given(*entry.value, key, out);
    }
}

DescribeStage question_of(const Plan& plan, std::size_t index) {
    const CheckedStage& stage = plan.graph.stages[index];
    DescribeStage out;
    out.name = stage.name;
    out.use = stage.use;
    out.settings = stage.settings;
    out.given = given_settings(*stage.settings);
    for (const OutputDeclaration& output : stage.type->outputs)
        if (has_output(output, *stage.settings))
            out.outputs.push_back(output.name);
    if (NodePtr device = stage.engine ? stage.engine->get("device") : nullptr)
        out.device = device->text;
    out.ranks = ranks_of(stage);
    return out;
}

struct Asked {
    Plan* plan = nullptr;
    std::size_t stage = 0;
};

/// The questions of one or more plans. Of several, stages go by a name that no other plan has, and
/// equal ones by that of the first.
class Questions {
public:
    explicit Questions(bool several) : several_(several) {}

    void add(Plan& plan) {
        std::vector<std::string> names = names_in(plan);
        auto edge = plan.graph.edges.begin();
        for (std::size_t i = 0; i < plan.graph.stages.size(); ++i) {
            auto first_edge = edge;
            while (edge != plan.graph.edges.end() && edge->to == i)
                ++edge;
            if (plan.stages[i].state == StageState::cached)
                continue;
            std::vector<Asked>& askers = askers_[names[i]];
            askers.push_back({&plan, i});
            if (askers.size() > 1)
                continue;
            DescribeStage question = question_of(plan, i);
            question.name = names[i];
            for (auto input = first_edge; input != edge; ++input)
                if (!input->port.empty())
                    question.inputs[input->port].push_back(source_of(plan, *input, names));
            questions_.push_back(std::move(question));
        }
        ++plans_;
    }

    const std::vector<DescribeStage>& questions() const { return questions_; }
    const std::vector<Asked>& askers(const std::string& name) const {
        static const std::vector<Asked> kNobody;
        auto found = askers_.find(name);
        return found == askers_.end() ? kNobody : found->second;
    }

private:
    std::vector<std::string> names_in(const Plan& plan) {
        std::vector<std::string> names;
        std::vector<std::string> identities =
            several_ ? stage_identities(plan.graph) : std::vector<std::string>();
        for (std::size_t i = 0; i < plan.graph.stages.size(); ++i) {
            std::string name = plan.graph.stages[i].name;
            if (several_)
                name =
                    by_identity_.try_emplace(identities[i], fmt::format("{}/{}", plans_ + 1, name))
                        .first->second;
            names.push_back(name);
        }
        return names;
    }

    static DescribeInput source_of(const Plan& plan,
                                   const Edge& edge,
                                   const std::vector<std::string>& names) {
        const PlannedStage& before = plan.stages[edge.from];
        auto path = before.paths.find(edge.output);
        if (before.state == StageState::cached && path != before.paths.end())
            return {"", "", path->second};
        return {names[edge.from], edge.output, {}};
    }

    bool several_;
    std::size_t plans_ = 0;
    std::map<std::string, std::string> by_identity_;
    std::map<std::string, std::vector<Asked>> askers_;
    std::vector<DescribeStage> questions_;
};

/// "target.params", "files[2]" or "files.2" as keys.
std::vector<std::string> keys_of(std::string_view setting) {
    std::vector<std::string> keys(1);
    for (char c : setting) {
        if (c == '.' || c == '[')
            keys.emplace_back();
        else if (c != ']')
            keys.back() += c;
    }
    std::erase(keys, "");
    return keys;
}

/// The value at the keys, or the nearest one above it. Null: not even the first key is there.
const Node* find_value(const Node& root, const std::vector<std::string>& keys) {
    const Node* found = nullptr;
    const Node* at = &root;
    for (const std::string& key : keys) {
        NodePtr next = at->get(key);
        bool is_index = at->is_list() && key.size() < 10 &&
                        key.find_first_not_of("0123456789") == std::string::npos;
        if (is_index && std::stoul(key) < at->items.size())
            next = at->items[std::stoul(key)];
        if (!next)
            break;
        found = at = next.get();
    }
    return found;
}

void refuse(const CheckedStage& stage,
            const Refusal& refusal,
            const Sources& sources,
            Diagnostics& diagnostics) {
    Diagnostic mistake;
    mistake.code = code::kRefused;
    mistake.where = stage.where;
    mistake.message = escape_controls(refusal.message);
    mistake.exit_code = refusal.exit_code;
    mistake.key = "stages." + stage.name;
    std::vector<std::string> keys = keys_of(refusal.key);
    const Node* value = keys.empty() ? nullptr : find_value(*stage.settings, keys);
    if (!value && !keys.empty() && stage.engine)
        value = find_value(*stage.engine, keys);
    if (!keys.empty())
        mistake.key += "." + refusal.key;
    bool is_written = value && value->origin != Origin::schema_default && value->where;
    if (is_written)
        mistake.where = value->where;
    for (const Input& input : stage.inputs)
        if (!keys.empty() && input.port == keys.front() && !input.feeds.empty() &&
            input.feeds.front().where)
            mistake.where = input.feeds.front().where;
    if (is_written)
        add_history(mistake, *value, sources);
    else if (value)
        mistake.note(value->where,
                     fmt::format("'{}' is {} by default", refusal.key, describe_value(*value)));
    if (mistake.where != stage.where)
        mistake.note(stage.where, fmt::format("while planning stage '{}'", stage.name));
    for (const std::string& note : refusal.notes)
        mistake.note({}, escape_controls(note));
    mistake.with_hint(escape_controls(refusal.hint));
    diagnostics.add(std::move(mistake));
}

}  // namespace

std::vector<std::string> given_settings(const Node& settings) {
    std::vector<std::string> out;
    gather_given(settings, "", out);
    return out;
}

void describe_plans(const std::vector<Plan*>& plans,
                    const Describer& describer,
                    const Sources& sources,
                    Diagnostics& diagnostics) {
    Questions request(plans.size() > 1);
    for (Plan* plan : plans)
        request.add(*plan);
    if (request.questions().empty())
        return;
    for (const DescribeAnswer& answer : describer(request.questions())) {
        const std::vector<Asked>& askers = request.askers(answer.stage);
        for (const Asked& asker : askers)
            asker.plan->stages[asker.stage].description = answer.description;
        if (answer.refusal && !askers.empty())
            refuse(askers.front().plan->graph.stages[askers.front().stage],
                   *answer.refusal,
                   sources,
                   diagnostics);
    }
}

}  // namespace stillroom
