#include "engine/recipe/settings.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/schema/defaults.h"
#include "engine/schema/validate.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

std::vector<std::string> allowed_keys(const StageType& type, const Catalog& catalog) {
    std::vector<std::string> keys;
    if (NodePtr properties = type.document->get("properties"))
        for (const Entry& entry : properties->entries)
            keys.push_back(entry.key);
    for (const std::string& key : catalog.engine_keys())
        keys.push_back(key);
    return keys;
}

/// Unknown keys are told here, where ports and engine keys are known too, and taken out.
NodePtr without_unknown(const StageKey& stage,
                        const StageType& type,
                        const NodePtr& settings,
                        const Catalog& catalog,
                        Diagnostics& diagnostics) {
    NodePtr properties = type.document->get("properties");
    auto is_known = [&](const Entry& entry) { return properties && properties->find(entry.key); };
    if (std::all_of(settings->entries.begin(), settings->entries.end(), is_known))
        return settings;
    std::shared_ptr<Node> known = copy(*settings);
    std::erase_if(known->entries, [&](const Entry& entry) { return !is_known(entry); });
    std::vector<std::string> keys = allowed_keys(type, catalog);
    for (const Entry& entry : settings->entries) {
        if (is_known(entry))
            continue;
        std::string near = did_you_mean(entry.key, keys);
        std::string list = fmt::format("`stillroom help {}` lists the keys", type.name);
        Diagnostic& mistake = diagnostics.error(
            code::kUnknownKey,
            entry.where,
            fmt::format("unknown key '{}' in {}", entry.key, stage_title(stage.name, type.name)));
        mistake.at_key("stages." + stage.name + "." + entry.key)
            .with_hint(near.empty() ? list : near + " " + list);
        if (stage.first)
            mistake.note(stage.first, fmt::format("stage '{}' first set here", stage.name));
    }
    return known;
}

/// Values that stand for "someone must give this", and secrets where none may be.
void refuse_values(const Node& value,
                   const Node* schema,
                   const std::string& path,
                   Diagnostics& diagnostics) {
    if (value.origin == Origin::schema_default)
        return;
    if (value.is_missing()) {
        diagnostics.error(code::kMissingValue, value.where, fmt::format("'{}' must be given", path))
            .at_key(path)
            .with_hint(fmt::format("on the command line: {}=VALUE", path));
        return;
    }
    NodePtr mark = schema ? schema->get("x-secret") : nullptr;
    if (value.secret && !(mark && boolean_value(*mark))) {
        diagnostics
            .error(code::kSecretPlace, value.where, fmt::format("'{}' takes no secret", path))
            .at_key(path)
            .exits(kExitPolicy)
            .with_hint("a secret goes only where a schema says so, or into the stage's `env`");
        return;
    }
    NodePtr properties = schema ? schema->get("properties") : nullptr;
    NodePtr rest = schema ? schema->get("additionalProperties") : nullptr;
    for (const Entry& entry : value.entries) {
        NodePtr inner = properties ? properties->get(entry.key) : nullptr;
        refuse_values(
            *entry.value, inner ? inner.get() : rest.get(), path + "." + entry.key, diagnostics);
    }
    NodePtr items = schema ? schema->get("items") : nullptr;
    for (std::size_t i = 0; i < value.items.size(); ++i)
        refuse_values(*value.items[i], items.get(), fmt::format("{}[{}]", path, i), diagnostics);
}

/// `data: null` is a port that is not given.
NodePtr given_ports(const NodePtr& ports) {
    std::shared_ptr<Node> given = copy(*ports);
    std::erase_if(given->entries, [](const Entry& entry) { return entry.value->is_null(); });
    return given;
}

/// True for a value that came through `${...}` from a place with a mistake of its own.
bool is_told(const Node& value, const Diagnostics& diagnostics) {
    if (!value.written || !value.begins)
        return false;
    return std::any_of(
        diagnostics.all().begin(), diagnostics.all().end(), [&](const Diagnostic& told) {
            return told.severity == Severity::error && told.where.begin == value.begins;
        });
}

/// A stage's layout must use just the ranks that it is given; `data` takes what the others leave.
void check_ranks(const StageKey& stage,
                 const Node& settings,
                 const Node& engine,
                 Diagnostics& diagnostics) {
    NodePtr parallel = settings.get("parallel");
    NodePtr ranks = engine.get("ranks");
    std::optional<Decimal> wanted = ranks ? decimal_value(*ranks) : Decimal(1);
    if (!parallel || !parallel->is_map() || !wanted)
        return;
    static constexpr std::string_view kAxes[] = {"data", "tensor", "pipeline", "context", "expert"};
    Decimal product(1);
    std::vector<std::string> factors;
    for (const Entry& entry : parallel->entries) {
        std::optional<Decimal> size = decimal_value(*entry.value);
        if (std::find(std::begin(kAxes), std::end(kAxes), entry.key) == std::end(kAxes) || !size)
            continue;
        product = product * *size;
        if (*size != Decimal(1))
            factors.push_back(fmt::format("{} {}", entry.key, size->text()));
    }
    NodePtr data = parallel->get("data");
    bool data_is_open =
        !data || data->kind != Kind::integer || data->origin == Origin::schema_default;
    if (product == *wanted || (data_is_open && wanted->multiple_of(product)))
        return;
    Span where = ranks && ranks->origin != Origin::schema_default ? ranks->where : parallel->where;
    diagnostics
        .error(code::kRanks,
               where,
               fmt::format("stage '{}' has {} ranks, its layout ({}) needs {}{}",
                           stage.name,
                           wanted->text(),
                           join(factors),
                           data_is_open ? "a multiple of " : "",
                           product.text()))
        .at_key("stages." + stage.name + ".ranks")
        .note(parallel->where, "the layout stands here")
        .with_hint(fmt::format("write ranks: {}", product.text()));
}

}  // namespace

NodePtr fill_stage(const NodePtr& stage, const StageType& type, const Catalog& catalog) {
    if (!stage->is_map())
        return stage;
    StageParts parts = split_stage(*stage, &type, catalog);
    NodePtr filled = with_defaults(type.settings, parts.settings);
    if (filled == parts.settings)
        return stage;
    std::shared_ptr<Node> out = copy(*stage);
    for (const Entry& entry : filled->entries) {
        auto old = std::find_if(out->entries.begin(), out->entries.end(), [&](const Entry& other) {
            return other.key == entry.key;
        });
        if (old == out->entries.end())
            out->entries.push_back(entry);
        else
            old->value = entry.value;
    }
    return out;
}

NodePtr check_settings(const StageKey& stage,
                       const StageType& type,
                       const StageParts& parts,
                       const Catalog& catalog,
                       const Sources& sources,
                       Diagnostics& diagnostics) {
    std::string path = "stages." + stage.name;
    NodePtr settings = without_unknown(stage, type, parts.settings, catalog, diagnostics);
    refuse_values(*settings, type.document.get(), path, diagnostics);
    ValidateOptions options;
    options.typing = Typing::recipe;
    options.accept_missing = true;
    options.accept_references = true;
    options.written_only = true;  // "exactly one of" must not count defaults that were filled in
    options.beside = given_ports(parts.ports);
    options.path = path;
    options.key = stage.where;
    options.name = stage_title(stage.name, type.name);
    std::vector<Mistake> mistakes = validate(type.settings, settings, options);
    auto is_at_top = [](const Mistake& mistake) {
        return mistake.pointer.find('/', 1) == std::string::npos;
    };
    // Keys that ask for the one that is missing say nothing new.
    if (std::any_of(mistakes.begin(), mistakes.end(), [&](const Mistake& mistake) {
            return mistake.code == code::kNoBranch && is_at_top(mistake);
        }))
        std::erase_if(mistakes, [&](const Mistake& mistake) {
            return mistake.code == code::kDependentKey && is_at_top(mistake);
        });
    // A misspelt key is the root cause of what seems to be missing.
    if (settings != parts.settings)
        std::erase_if(mistakes, [&](const Mistake& mistake) {
            return is_at_top(mistake) &&
                   (mistake.code == code::kMissingKey || mistake.code == code::kNoBranch ||
                    mistake.code == code::kDependentKey);
        });
    for (const Mistake& mistake : mistakes) {
        if (mistake.value && is_told(*mistake.value, diagnostics))
            continue;
        Diagnostic diagnostic = diagnostic_of(mistake);
        if (mistake.value)
            add_history(diagnostic, *mistake.value, sources);
        diagnostics.add(std::move(diagnostic));
    }
    settings = anchor_paths(settings, *type.document, sources);
    if (!mistakes.empty())
        return settings;
    settings = typed(type.settings, settings);
    check_ranks(stage, *settings, *parts.engine, diagnostics);
    return settings;
}

bool has_output(const OutputDeclaration& output, const Node& settings) {
    if (output.only_with.empty())
        return true;
    NodePtr value = settings.get(output.only_with);
    if (!value || value->is_null())
        return false;
    if (value->kind == Kind::boolean)
        return boolean_value(*value);
    std::optional<Decimal> number = decimal_value(*value);
    return !number || !number->is_zero();
}

void add_history(Diagnostic& diagnostic, const Node& value, const Sources& sources) {
    if (value.written && value.begins && value.begins != value.where.begin) {
        const Source* source = sources.find(value.begins);
        if (source)
            diagnostic.note({value.begins, value.begins},
                            fmt::format("its value {} stands here", describe_value(value)));
    }
    const NodePtr& old = value.written ? value.written->replaced : value.replaced;
    if (old && old->where && value.is_scalar())
        diagnostic.note(old->where, fmt::format("it replaces {} here", describe_value(*old)));
}

}  // namespace stillroom
