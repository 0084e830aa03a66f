#include "engine/recipe/compose.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/apply.h"
#include "engine/recipe/declared.h"
#include "engine/recipe/defaults.h"
#include "engine/recipe/defaults_entry.h"
#include "engine/recipe/merge.h"
#include "engine/recipe/override.h"
#include "engine/recipe/resolve.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

/// The overrides of one job, told apart: choices of groups come before the files are merged, values
/// after.
struct Orders {
    std::vector<GroupChoice> choices;
    std::vector<Override> values;
    std::vector<GroupChoice> launch_choices;
    std::vector<Override> launch_values;
};

bool is_launch(const Override& override) {
    return !override.path.empty() && override.path[0] == "launch";
}

/// The group that an override names, less its '+' or '~'.
bool names_group(const Override& override, const SearchPath& search) {
    if (override.is_group)
        return true;
    if (override.path.size() != 1 || (override.value && override.value->is_map()))
        return false;
    return search.is_group(override.key);
}

std::optional<GroupChoice> to_choice(const Override& override,
                                     const SearchPath& search,
                                     Diagnostics& diagnostics) {
    GroupChoice choice;
    choice.group = override.key;
    choice.package = override.package;
    choice.where = override.where;
    auto refuse = [&](Span where, std::string message) -> Diagnostic& {
        return diagnostics.error(code::kGroupOverride, where, std::move(message));
    };
    if (choice.package && refuse_package(*choice.package, override.key_where, diagnostics))
        return std::nullopt;
    if (!search.is_group(override.key)) {
        std::vector<std::string> groups = search.groups();
        diagnostics
            .error(code::kNoSuchGroup,
                   override.key_where,
                   fmt::format("there is no group '{}'", override.key))
            .note({}, "searched " + search.text())
            .with_hint(did_you_mean(override.key, groups));
        return std::nullopt;
    }
    if (override.kind == OverrideKind::force_add) {
        refuse(override.where, fmt::format("the group '{}' cannot be force-added", override.key))
            .with_hint(fmt::format("'+{0}=..' adds it, '{0}=..' changes it", override.key));
        return std::nullopt;
    }
    choice.kind = override.kind == OverrideKind::add      ? GroupChoice::Kind::add
                  : override.kind == OverrideKind::remove ? GroupChoice::Kind::remove
                                                          : GroupChoice::Kind::change;
    if (choice.kind == GroupChoice::Kind::add && choice.package == "_here_")
        choice.package = "";  // beside the keys of the recipe itself
    if (!override.value)
        return choice;  // ~group
    const Node& value = *override.value;
    bool is_list = value.is_list();
    std::vector<NodePtr> options = is_list ? value.items : std::vector<NodePtr>{override.value};
    for (const NodePtr& option : options) {
        if (option->kind != Kind::string) {
            refuse(option->where,
                   fmt::format("{} is no option of '{}': options are names",
                               describe_value(*option),
                               override.key))
                .with_hint(option->is_null()
                               ? fmt::format("'~{}' takes the group out", override.key)
                               : "quote it if the option is called so");
            return std::nullopt;
        }
        choice.options.push_back(option->text);
    }
    choice.is_list = is_list;
    return choice;
}

Orders sort_out(const std::vector<Override>& overrides,
                const SearchPath& search,
                Diagnostics& diagnostics) {
    Orders orders;
    for (const Override& override : overrides) {
        if (names_group(override, search)) {
            std::optional<GroupChoice> choice = to_choice(override, search, diagnostics);
            if (choice)
                (is_launch(override) ? orders.launch_choices : orders.choices).push_back(*choice);
        } else if (override.package) {
            std::vector<std::string> groups = search.groups();
            diagnostics
                .error(code::kNoSuchGroup,
                       override.key_where,
                       fmt::format("'{}' is no group, only a group has a package", override.key))
                .with_hint(did_you_mean(override.key, groups));
        } else {
            (is_launch(override) ? orders.launch_values : orders.values).push_back(override);
        }
    }
    return orders;
}

/// The content below the keys of its package.
NodePtr put_into_package(NodePtr content, const std::string& package, Span where) {
    if (package.empty())
        return content;
    std::vector<std::string> parts = split(package, '.');
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        std::shared_ptr<Node> map = make_map(content->where);
        map->origin = content->origin;
        map->entries.push_back({*part, where, content, false, {}});
        content = map;
    }
    return content;
}

Request with_sources(Request request, Sources& sources) {
    request.sources = &sources;
    return request;
}

/// A key of the one stage of `do`; a group is one that its recipe, which has no defaults, takes in.
/// `launch` stays what it is everywhere.
void put_below(Override& override, const std::string& prefix) {
    for (std::vector<Override>& row : override.rows)
        for (Override& part : row)
            put_below(part, prefix);
    if (is_launch(override))
        return;
    if (override.is_group) {
        if (override.kind == OverrideKind::change)
            override.kind = OverrideKind::add;
        return;
    }
    std::vector<std::string> path = split(prefix, '.');
    path.insert(path.end(), override.path.begin(), override.path.end());
    override.path = std::move(path);
    override.key = prefix + "." + override.key;
}

class Composer {
public:
    Composer(Sources& sources, const Request& request, Diagnostics& diagnostics)
        : request_(with_sources(request, sources)),
          diagnostics_(diagnostics),
          search_(make_search_path(request.recipe, request.config_dirs)),
          files_(sources, request.limits, diagnostics) {
        if (!request.text.empty())
            files_.add(request.recipe, request.text);
    }

    std::optional<Recipe> run(const std::vector<Override>& overrides) {
        Orders orders = sort_out(overrides, search_, diagnostics_);
        std::size_t before = diagnostics_.errors();
        Recipe recipe;
        recipe.file = request_.recipe;
        recipe.root =
            put_together(request_.recipe, request_.named_at, orders.choices, recipe.defaults);
        if (!recipe.root)
            return std::nullopt;
        recipe.lacks_files = diagnostics_.errors() != before;
        recipe.root = apply_values(recipe.root, orders.values);
        if (!orders.launch_choices.empty() || !orders.launch_values.empty() ||
            request_.launch_where)
            recipe.launch = compose_launch(orders);
        recipe.lacks_values = diagnostics_.errors() != before;
        return recipe;
    }

private:
    NodePtr put_together(const std::filesystem::path& file,
                         Span named_at,
                         const std::vector<GroupChoice>& choices,
                         std::vector<Choice>& defaults) {
        std::vector<Layer> layers = expand_defaults(file,
                                                    named_at,
                                                    choices,
                                                    search_,
                                                    files_,
                                                    request_.remotes.get(),
                                                    request_.choices_may_be_open,
                                                    diagnostics_);
        if (layers.empty())
            return nullptr;
        NodePtr root;
        MergeRules rules = make_rules(root);
        for (Layer& layer : layers) {
            defaults.push_back(layer.choice);
            if (!layer.content)
                continue;
            NodePtr content = layer.content;
            if (content->find("defaults"))
                content = with_entry(*content, "defaults", nullptr, {});
            content = put_into_package(content, layer.choice.package, layer.choice.where);
            root = merge(root, content, {}, rules, diagnostics_);
        }
        return root ? root : make_map();
    }

    NodePtr apply_values(NodePtr root, const std::vector<Override>& values) {
        MergeRules rules = make_rules(root);
        DeclaredKeys declared = declared_keys(root, request_, search_);
        declared.groups = [this] { return search_.groups(); };
        for (const Override& override : values)
            root = apply_override(root, override, declared, rules, diagnostics_);
        return root;
    }

    /// The rules look into the tree as it is when they are asked.
    static MergeRules make_rules(const NodePtr& root) {
        MergeRules rules;
        rules.follow = [&root](const Node& reference) -> NodePtr {
            if (!root)
                return nullptr;
            std::optional<KeyPath> target = reference_target(reference, {});
            NodePtr found = target ? look_up(root, *target) : nullptr;
            return found ? dereference(root, found, *target) : nullptr;
        };
        return rules;
    }

    /// `launch` is a group that is always there; what is chosen of it is no part of the recipe.
    NodePtr compose_launch(const Orders& orders) {
        std::string option = request_.launch;
        Span where = request_.launch_where;
        for (const GroupChoice& choice : orders.launch_choices) {
            if (choice.kind != GroupChoice::Kind::change || choice.options.size() != 1) {
                diagnostics_
                    .error(code::kGroupOverride,
                           choice.where,
                           "'launch' is always there, it takes one option")
                    .with_hint("write launch=slurm");
                return nullptr;
            }
            option = choice.options[0];
            where = choice.where;
        }
        std::optional<FoundFile> file = search_.find("launch/" + option);
        if (!file) {
            std::vector<std::string> options = search_.options("launch");
            diagnostics_
                .error(code::kNoSuchOption,
                       where,
                       fmt::format("the group 'launch' has no option '{}'", option))
                .with_hint(fmt::format("{}{}its options are {}",
                                       did_you_mean(option, options),
                                       did_you_mean(option, options).empty() ? "" : " ",
                                       join(options)));
            return nullptr;
        }
        std::vector<Choice> defaults;
        NodePtr launch = put_together(file->path, where, {}, defaults);
        if (!launch)
            return nullptr;
        NodePtr wrapped = put_into_package(launch, "launch", where);
        MergeRules rules = make_rules(wrapped);
        DeclaredKeys declared;
        declared.declares = [](const KeyPath& path) {
            static constexpr std::string_view kFields[] = {
                "nodes", "ranks_per_node", "cores", "devices", "memory", "timeout"};
            return path.size() == 2 &&
                   std::find(std::begin(kFields), std::end(kFields), path[1]) != std::end(kFields);
        };
        for (const Override& override : orders.launch_values) {
            if (override.path.size() > 1 && override.path[1] == "command") {
                diagnostics_
                    .error(code::kUntrusted,
                           override.where,
                           "'launch.command' is not taken from the command line")
                    .with_hint(
                        "it counts from the installed library and the site's or user's "
                        "configuration")
                    .exits(kExitPolicy);
                continue;
            }
            wrapped = apply_override(wrapped, override, declared, rules, diagnostics_);
        }
        return wrapped->get("launch");
    }

    Request request_;
    Diagnostics& diagnostics_;
    SearchPath search_;
    FileCache files_;
};

}  // namespace

std::optional<Recipe> compose(Sources& sources,
                              const Request& request,
                              const std::vector<Override>& overrides,
                              Diagnostics& diagnostics) {
    return Composer(sources, request, diagnostics).run(overrides);
}

std::vector<Override> read_overrides(Sources& sources,
                                     const Request& request,
                                     Diagnostics& diagnostics) {
    std::vector<Override> overrides = parse_overrides(sources, request.arguments, diagnostics);
    if (!request.prefix.empty())
        for (Override& override : overrides)
            put_below(override, request.prefix);
    return overrides;
}

std::optional<Recipe> compose(Sources& sources, const Request& request, Diagnostics& diagnostics) {
    std::vector<Override> overrides = read_overrides(sources, request, diagnostics);
    std::erase_if(overrides, [&](const Override& override) {
        if (override.swept())
            diagnostics.add(sweep_needs_multirun(override));
        return override.swept();
    });
    return compose(sources, request, overrides, diagnostics);
}

}  // namespace stillroom
