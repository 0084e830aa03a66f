#include "engine/recipe/resolvers.h"

#include "engine/base/codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/calc.h"
#include "engine/recipe/override.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillroom {
namespace {

constexpr std::array<std::string_view, 5> kReadable = {
    "HOME", "USER", "TMPDIR", "HOSTNAME", "SLURM_JOB_ID"};

NodePtr null_node(Span where) {
    auto node = std::make_shared<Node>();
    node->origin = Origin::engine;
    node->text = "null";
    node->where = where;
    return node;
}

/// False, and reported, unless there are so many arguments and none is a secret.
bool has_arguments(ResolverCall& call, std::size_t least, std::size_t most, std::string_view form) {
    std::size_t count = call.arguments().size();
    if (count < least || count > most) {
        std::string_view what = count < least ? "is missing" : "has too many of";
        call.fail(code::kResolverArguments,
                  fmt::format("'{}' {} its arguments: {} given, {} {}",
                              call.name(),
                              what,
                              count,
                              least == most ? "exactly" : "at least",
                              least))
            .with_hint(fmt::format("write ${{{}:{}}}", call.name(), form));
        return false;
    }
    return true;
}

/// The text of an argument that must be one, or null and reported.
const std::string* text_argument(ResolverCall& call, std::size_t index, std::string_view what) {
    const Node& argument = *call.arguments()[index];
    if (argument.kind == Kind::string && !argument.secret)
        return &argument.text;
    call.fail(code::kResolverArguments,
              fmt::format("'{}' takes {}, not {}",
                          call.name(),
                          what,
                          argument.secret ? "a secret" : describe_value(argument)));
    return nullptr;
}

bool is_variable_name(std::string_view name) {
    auto inside = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
           std::all_of(name.begin(), name.end(), inside);
}

bool refuse_remote(ResolverCall& call, const std::string& variable) {
    if (!call.is_remote())
        return false;
    call.fail(code::kRemoteReads,
              fmt::format("a remote recipe may not read the environment variable '{}'",
                          escape_controls(shorten(variable, 40))))
        .with_hint("hand its value over as a param, from a recipe of your own or the command line")
        .exits(kExitPolicy);
    return true;
}

NodePtr environment(ResolverCall& call) {
    if (!has_arguments(call, 1, 2, "NAME"))
        return nullptr;
    const std::string* name = text_argument(call, 0, "the name of a variable");
    if (!name)
        return nullptr;
    if (refuse_remote(call, *name))
        return nullptr;
    if (!call.may_read(*name)) {
        bool secret = names_secret(*name);
        call.fail(code::kVariableNotAllowed,
                  fmt::format("a recipe may not read the environment variable '{}'",
                              escape_controls(*name)))
            .with_hint(secret ? fmt::format("write ${{secret:{}}}, which only fields for secrets "
                                            "take",
                                            *name)
                              : fmt::format("--allow-env {} lets it", *name))
            .exits(kExitPolicy);
        return nullptr;
    }
    if (std::optional<std::string> value = call.environment(*name)) {
        if (auto bad = find_invalid_utf8(*value)) {
            call.fail(
                code::kResolverArguments,
                fmt::format(
                    "the environment variable '{}' is not UTF-8 at byte {}", *name, *bad + 1));
            return nullptr;
        }
        return make_string(std::move(*value), call.where());
    }
    if (call.arguments().size() == 1) {
        call.fail(code::kVariableNotSet, fmt::format("environment variable '{}' not found", *name))
            .with_hint(
                fmt::format("set it, or give a default: ${{{}:{},VALUE}}", call.name(), *name));
        return nullptr;
    }
    const NodePtr& otherwise = call.arguments()[1];
    if (otherwise->secret) {
        call.fail(code::kResolverArguments, "a secret cannot be the default of a variable");
        return nullptr;
    }
    if (otherwise->is_null())
        return otherwise;
    auto out = make_string(json_spelling(*otherwise), call.where());
    out->begins = otherwise->begins ? otherwise->begins : otherwise->where.begin;
    return out;
}

NodePtr secret(ResolverCall& call) {
    if (!has_arguments(call, 1, 1, "NAME"))
        return nullptr;
    const std::string* name = text_argument(call, 0, "the name of a variable");
    if (!name)
        return nullptr;
    if (refuse_remote(call, *name))
        return nullptr;
    if (!is_variable_name(*name)) {
        call.fail(code::kResolverArguments,
                  fmt::format("'{}' cannot be the name of a variable",
                              escape_controls(shorten(*name, 40))));
        return nullptr;
    }
    if (!call.environment(*name)) {
        call.fail(code::kVariableNotSet, fmt::format("environment variable '{}' not found", *name))
            .with_hint(fmt::format("a secret is given by its variable: export {}=...", *name));
        return nullptr;
    }
    auto node = make_string(*name, call.where());
    node->secret = true;
    return node;
}

NodePtr select(ResolverCall& call) {
    if (!has_arguments(call, 1, 2, "KEY"))
        return nullptr;
    const std::string* path = text_argument(call, 0, "a key");
    if (!path)
        return nullptr;
    ResolverCall::Selection selection = call.select(*path);
    switch (selection.found) {
        case ResolverCall::Found::yes:
            return selection.value;
        case ResolverCall::Found::broken:
            return nullptr;
        default:
            break;
    }
    return call.arguments().size() == 2 ? call.arguments()[1] : null_node(call.where());
}

NodePtr decode(ResolverCall& call) {
    if (!has_arguments(call, 1, 1, "TEXT"))
        return nullptr;
    if (call.arguments()[0]->is_null())
        return call.arguments()[0];
    const std::string* text = text_argument(call, 0, "text or null");
    if (!text)
        return nullptr;
    std::string mistake = "it is empty";
    NodePtr value =
        trim(*text).empty() ? nullptr : parse_override_value(*text, call.where(), mistake);
    if (!value)
        call.fail(
            code::kDecode,
            fmt::format(
                "'{}' does not spell a value: {}", escape_controls(shorten(*text, 40)), mistake));
    return value;
}

/// The map at the path that is the only argument, or null and reported.
NodePtr map_argument(ResolverCall& call) {
    if (!has_arguments(call, 1, 1, "KEY"))
        return nullptr;
    const std::string* path = text_argument(call, 0, "the key of a map");
    if (!path)
        return nullptr;
    ResolverCall::Selection selection = call.select(*path);
    if (selection.found == ResolverCall::Found::broken)
        return nullptr;
    if (selection.found != ResolverCall::Found::yes) {
        call.fail(code::kUnknownReference,
                  fmt::format("'{}' names no key", escape_controls(shorten(*path, 40))));
        return nullptr;
    }
    if (!selection.value->is_map()) {
        call.fail(code::kResolverArguments,
                  fmt::format("'{}' takes the key of a map, and '{}' is {}",
                              call.name(),
                              escape_controls(shorten(*path, 40)),
                              describe_value(*selection.value)));
        return nullptr;
    }
    return selection.value;
}

NodePtr keys(ResolverCall& call) {
    NodePtr map = map_argument(call);
    if (!map)
        return nullptr;
    auto list = make_list(call.where());
    for (const Entry& entry : map->entries)
        list->items.push_back(make_string(entry.key, entry.where));
    return list;
}

NodePtr values(ResolverCall& call) {
    NodePtr map = map_argument(call);
    if (!map)
        return nullptr;
    auto list = make_list(call.where());
    for (const Entry& entry : map->entries)
        list->items.push_back(entry.value);
    return list;
}

NodePtr create(ResolverCall& call) {
    if (!has_arguments(call, 1, 1, "{KEY: VALUE}"))
        return nullptr;
    NodePtr value = call.arguments()[0];
    std::string mistake;
    if (value->kind == Kind::string && !value->secret)
        if (NodePtr decoded = parse_override_value(value->text, call.where(), mistake))
            value = decoded;
    if (value->is_map() || value->is_list() || value->is_null())
        return value;
    call.fail(code::kResolverArguments,
              fmt::format("'{}' takes a map or a list, not {}",
                          call.name(),
                          value->secret ? "a secret" : describe_value(*value)));
    return nullptr;
}

void replace_all(std::string& text, std::string_view name, const std::string& value) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
        text.replace(at, name.size(), value);
}

NodePtr deprecated(ResolverCall& call) {
    if (!has_arguments(call, 1, 2, "KEY"))
        return nullptr;
    const std::string* path = text_argument(call, 0, "the key that is used now");
    if (!path)
        return nullptr;
    std::string message = "'$OLD_KEY' is deprecated, use '$NEW_KEY'";
    if (call.arguments().size() == 2) {
        const std::string* own = text_argument(call, 1, "a message");
        if (!own)
            return nullptr;
        message = *own;
    }
    ResolverCall::Selection selection = call.select(*path);
    if (selection.found == ResolverCall::Found::yes) {
        replace_all(message, "$OLD_KEY", call.key());
        replace_all(message, "$NEW_KEY", *path);
        call.warn(code::kDeprecatedKey, escape_controls(message));
        return selection.value;
    }
    if (selection.found != ResolverCall::Found::broken)
        call.fail(code::kUnknownReference,
                  fmt::format("'{}' names no key with a value", escape_controls(*path)));
    return nullptr;
}

NodePtr calc(ResolverCall& call) {
    CalcInput input;
    input.path = [&](std::string_view path, std::size_t begin) -> NodePtr {
        ResolverCall::Selection selection = call.select(path);
        if (selection.found == ResolverCall::Found::yes)
            return selection.value;
        if (selection.found == ResolverCall::Found::absent)
            call.fail_at(begin,
                         begin + path.size(),
                         code::kUnknownReference,
                         fmt::format("'{}' names no key", path));
        else if (selection.found == ResolverCall::Found::missing)
            call.fail_at(begin,
                         begin + path.size(),
                         code::kMissingValue,
                         fmt::format("'{}' is not given yet", path));
        return nullptr;
    };
    input.interpolation = [&](std::string_view text, std::size_t begin) {
        return call.evaluate(text, begin);
    };
    CalcResult result = calculate(call.raw(), call.where(), input);
    if (!result.value && !result.message.empty())
        call.fail_at(result.begin, result.end, code::kCalculation, std::move(result.message))
            .with_hint(std::move(result.hint));
    return result.value;
}

}  // namespace

bool names_secret(std::string_view variable) {
    std::string upper(variable);
    for (char& c : upper)
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    for (const char* word : {"TOKEN", "SECRET", "KEY", "PASSWORD"})
        if (upper.find(word) != std::string::npos)
            return true;
    return false;
}

bool may_read_variable(std::string_view name, const std::vector<std::string>& allowed) {
    if (names_secret(name))
        return false;
    auto fits = [&](std::string_view pattern) {
        return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1))
                                      : name == pattern;
    };
    return std::any_of(kReadable.begin(), kReadable.end(), fits) || fits("STILLROOM_*") ||
           std::any_of(allowed.begin(), allowed.end(), fits);
}

std::string json_spelling(const Node& value) {
    switch (value.kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return boolean_value(value) ? "true" : "false";
        case Kind::integer:
            if (value.leading_zero)
                return value.text;
            return decimal_value(value).value_or(Decimal()).text();
        case Kind::number:
            return number_text(double_value(value));
        case Kind::string:
            return value.text;
        default:
            break;
    }
    JsonWriter out;
    write_json(out, value);
    return out.take();
}

const ResolverTable& standard_resolvers() {
    static const ResolverTable table = {{"oc.env", environment},
                                        {"env", environment},
                                        {"oc.select", select},
                                        {"oc.decode", decode},
                                        {"oc.dict.keys", keys},
                                        {"oc.dict.values", values},
                                        {"oc.create", create},
                                        {"oc.deprecated", deprecated},
                                        {"calc", calc},
                                        {"secret", secret}};
    return table;
}

}  // namespace stillroom
