#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/checker.h"
#include "engine/recipe/loaders.h"
#include "engine/recipe/remote_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {

void Checker::check_draft(Draft& draft,
                          const std::string& prefix,
                          Offers& offers,
                          ScopeResult& result) {
    Offer offer;
    offer.where = draft.where;
    std::size_t before = diagnostics_.errors();
    if (!draft.broken && is_left_out(draft))
        offer.left_out = true;
    else if (!draft.broken && draft.type)
        check_stage(draft, prefix, offers, offer, result);
    else if (!draft.broken && draft.sub)
        check_sub(draft, prefix, offers, offer, result);
    else if (draft.in_cycle && draft.type)
        check_settings(key_of(draft), *draft.type, draft.parts, catalog_, sources_, diagnostics_);
    // What a stage makes is known though its settings are wrong; only its absence keeps others
    // silent.
    offer.broken = draft.broken || (draft.sub && diagnostics_.errors() != before);
    offers.insert_or_assign(draft.name, offer);
}

StageKey Checker::key_of(const Draft& draft) const {
    return {draft.name, draft.where, draft.first, options_.request.recipe.string()};
}

bool Checker::is_left_out(const Draft& draft) {
    NodePtr when = draft.parts.engine->get("when");
    return when && when->kind == Kind::boolean && !boolean_value(*when);
}

std::vector<std::string> Checker::link_after(const Draft& draft, const Offers& offers) {
    std::vector<std::string> names;
    NodePtr after = draft.parts.engine->get("after");
    if (!after || !after->is_list())
        return names;
    for (const NodePtr& item : after->items) {
        if (!item->is_scalar())
            continue;
        auto found = offers.find(item->text);
        if (found == offers.end() || found->second.is_input) {
            std::vector<std::string> known;
            for (const auto& [name, offer] : offers)
                known.push_back(name);
            diagnostics_
                .error(
                    code::kUnknownStage,
                    item->where,
                    fmt::format(
                        "there is no stage '{}' for 'after' of stage '{}'", item->text, draft.name))
                .with_hint(did_you_mean(item->text, known));
            continue;
        }
        for (const std::string& stage : made_by_[scope_ + item->text])
            names.push_back(stage);
    }
    return names;
}

void Checker::check_stage(Draft& draft,
                          const std::string& prefix,
                          const Offers& offers,
                          Offer& offer,
                          ScopeResult& result) {
    CheckedStage stage;
    stage.name = prefix + draft.name;
    stage.use = draft.type->name;
    stage.type = draft.type;
    stage.where = draft.where;
    stage.engine = draft.parts.engine;
    stage.settings =
        check_settings(key_of(draft), *draft.type, draft.parts, catalog_, sources_, diagnostics_);
    if (NodePtr env = draft.parts.engine->get("env"))
        refuse_variables(*env, resolving_.is_remote, diagnostics_);
    stage.after = link_after(draft, offers);
    stage.after.insert(stage.after.end(), outer_after_.begin(), outer_after_.end());
    std::vector<CheckedStage> inserted;
    link_ports(draft, offers, stage, inserted);
    for (const OutputDeclaration& output : draft.type->outputs) {
        if (has_output(output, *stage.settings))
            offer.outputs.push_back({output.name, output.type, {stage.name, output.name, {}}});
        else
            offer.absent.emplace_back(output.name, output.only_with);
    }
    made_by_[scope_ + draft.name] = {stage.name};
    for (CheckedStage& extra : inserted)
        result.stages.push_back(std::move(extra));
    result.stages.push_back(std::move(stage));
}

void Checker::link_ports(const Draft& draft,
                         const Offers& offers,
                         CheckedStage& stage,
                         std::vector<CheckedStage>& inserted) {
    std::vector<std::pair<const Entry*, const PortDeclaration*>> outside;
    for (const Entry& entry : draft.parts.ports->entries) {
        const PortDeclaration* port = draft.type->port(entry.key);
        if (entry.value->is_null() && !port->required)
            continue;
        if (entry.value->is_missing()) {
            refuse_missing(entry.value->where, "stages." + draft.name + "." + entry.key);
            continue;
        }
        bool is_list = entry.value->is_list() && port->many;
        std::vector<NodePtr> values =
            is_list ? entry.value->items : std::vector<NodePtr>{entry.value};
        Input input{port->name, port->type, {}};
        for (const NodePtr& value : values) {
            if (value->kind == Kind::string && is_outside(value->text)) {
                if (refuse_outside(draft, *port, *value))
                    continue;
                if (!is_list)
                    outside.emplace_back(&entry, port);
                else
                    load(stage,
                         *port,
                         value,
                         fmt::format("{}.{}", port->name, input.feeds.size()),
                         input,
                         inserted);
                continue;
            }
            std::optional<Feed> feed =
                link(*value, want_of(draft.name, *port, entry.where), offers, diagnostics_);
            if (feed)
                input.feeds.push_back(*feed);
        }
        stage.inputs.push_back(input);
    }
    for (auto [entry, port] : outside) {
        auto input = std::find_if(
            stage.inputs.begin(), stage.inputs.end(), [&, wanted = port](const Input& other) {
                return other.port == wanted->name;
            });
        load(stage, *port, entry->value, port->name, *input, inserted);
    }
    for (const PortDeclaration& port : draft.type->ports) {
        const Entry* written = draft.parts.ports->find(port.name);
        if (written && !written->value->is_null())
            continue;
        if (port.fill && stage.settings)
            fill(stage, port, inserted);
        else if (port.required)
            refuse_port(draft, port);
    }
}

bool Checker::refuse_outside(const Draft& draft, const PortDeclaration& port, const Node& value) {
    const std::string& text = value.text;
    std::string_view scheme = scheme_of(text);
    if (!scheme.empty() && scheme != "hf" && scheme != "file") {
        diagnostics_
            .error(code::kReferenceForm,
                   value.where,
                   fmt::format("port '{}' of stage '{}' takes nothing from '{}:'",
                               port.name,
                               draft.name,
                               scheme))
            .with_hint("write 'hf:ORG/NAME', 'file:PATH', a path with a '/' or a stage");
        return true;
    }
    std::string outer = text.substr(0, text.find('/'));
    auto made = made_by_.find(scope_ + outer);
    if (made == made_by_.end() ||
        std::find(made->second.begin(), made->second.end(), scope_ + text) == made->second.end())
        return false;
    diagnostics_
        .error(code::kReferenceForm,
               value.where,
               fmt::format("'{}' is a stage inside '{}', no port reaches it", text, outer))
        .with_hint(fmt::format(
            "write '{}' and give its recipe an output for it; a folder is './{}'", outer, text));
    return true;
}

Want Checker::want_of(const std::string& stage, const PortDeclaration& port, Span declared) const {
    const PortType* type = catalog_.port_type(port.type);
    return {
        stage, port.name, port.type, type ? type->accepts : std::vector<std::string>(), declared};
}

void Checker::load(CheckedStage& stage,
                   const PortDeclaration& port,
                   const NodePtr& source,
                   const std::string& suffix,
                   Input& input,
                   std::vector<CheckedStage>& inserted) {
    LoadRequest request{
        stage.name + "." + suffix + "~load", port.type, source, port.name, stage.inputs};
    std::optional<CheckedStage> loader = make_loader(request, catalog_, sources_, diagnostics_);
    if (!loader)
        return;
    input.feeds.push_back({loader->name, loaded_output(*loader, port.type), source->where});
    inserted.push_back(std::move(*loader));
}

void Checker::fill(CheckedStage& stage,
                   const PortDeclaration& port,
                   std::vector<CheckedStage>& inserted) {
    std::optional<CheckedStage> filler =
        make_filler(stage, port.name, *port.fill, catalog_, diagnostics_);
    if (!filler)
        return;
    stage.inputs.push_back(
        {port.name,
         port.type,
         {{filler->name, output_of_type(*filler->type, port.type), stage.where}}});
    inserted.push_back(std::move(*filler));
}

void Checker::refuse_port(const Draft& draft, const PortDeclaration& port) {
    const std::string names[] = {port.name};
    NodePtr declared = draft.type->document->get("properties");
    for (const Entry& entry : draft.parts.settings->entries)
        if (!declared->find(entry.key) && !nearest(entry.key, names).empty())
            return;  // misspelt: the unknown key is reported
    diagnostics_
        .error(code::kPortMissing,
               draft.where,
               fmt::format("stage '{}' ({}) needs {} at port '{}'",
                           draft.name,
                           draft.type->name,
                           one_of_type(port.type),
                           port.name))
        .at_key("stages." + draft.name + "." + port.name)
        .with_hint(fmt::format(
            "'{}' is {}: write the name of a stage that makes one", port.name, port.description));
}

void Checker::refuse_missing(Span where, const std::string& path) {
    diagnostics_.error(code::kMissingValue, where, fmt::format("'{}' must be given", path))
        .at_key(path)
        .with_hint(fmt::format("on the command line: {}=VALUE", path));
}

}  // namespace stillroom
