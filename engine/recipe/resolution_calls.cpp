// Calls in a resolution: names, arguments, and what a resolver may ask for.
#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/primitive.h"
#include "engine/recipe/resolution.h"

#include <fmt/format.h>

namespace stillroom {

class Resolution::Call final : public ResolverCall {
public:
    Call(Resolution& resolution,
         Slot& holder,
         const Interpolation& interpolation,
         std::string name,
         std::vector<NodePtr> arguments)
        : resolution_(resolution),
          holder_(holder),
          interpolation_(interpolation),
          name_(std::move(name)),
          arguments_(std::move(arguments)) {}

    const std::string& name() const override { return name_; }
    const std::vector<NodePtr>& arguments() const override { return arguments_; }
    std::string_view raw() const override { return interpolation_.raw; }
    Span where() const override {
        return resolution_.span_of(holder_, interpolation_.begin, interpolation_.end);
    }
    std::string key() const override { return resolution_.name_of(holder_); }

    Selection select(std::string_view path) override {
        std::size_t dots = std::min(path.find_first_not_of('.'), path.size());
        std::optional<std::vector<std::string>> keys = split_path(path.substr(dots));
        if (!keys) {
            fail(code::kInterpolationSyntax,
                 fmt::format("'{}' is no path of keys", escape_controls(shorten(path, 40))));
            return {Found::broken, nullptr};
        }
        Slot* base = dots == 0 ? &resolution_.root_ : &holder_;
        for (std::size_t i = 0; i < dots && base; ++i)
            base = base->parent;
        if (!base)
            return {};
        Location location = resolution_.locate(*base, *keys);
        switch (location.found) {
            case Resolution::Found::yes:
                break;
            case Resolution::Found::missing:
                return {Found::missing, nullptr};
            case Resolution::Found::broken:
                return {Found::broken, nullptr};
            default:
                return {};
        }
        NodePtr value = resolution_.resolve(*location.slot);
        if (!value)
            return {Found::broken, nullptr};
        return value->is_missing() ? Selection{Found::missing, nullptr}
                                   : Selection{Found::yes, value};
    }

    NodePtr evaluate(std::string_view text, std::size_t offset) override {
        ParsedText parsed = parse_text(text);
        std::size_t shift = interpolation_.raw_begin + offset;
        if (parsed.mistake) {
            fail_at(offset + parsed.mistake->begin,
                    offset + parsed.mistake->end,
                    code::kInterpolationSyntax,
                    parsed.mistake->message);
            return nullptr;
        }
        const Interpolation* whole = parsed.whole();
        if (!whole)
            return nullptr;
        Interpolation moved = *whole;
        moved.begin += shift;
        moved.end += shift;
        moved.raw_begin += shift;
        return resolution_.evaluate(holder_, moved);
    }

    std::optional<std::string> environment(const std::string& name) const override {
        const auto& variable = resolution_.options_.environment;
        return variable ? variable(name) : std::nullopt;
    }
    bool may_read(const std::string& name) const override {
        return may_read_variable(name, resolution_.options_.allowed_names);
    }

    bool is_remote() const override {
        return resolution_.options_.is_remote && resolution_.options_.is_remote(where());
    }

    Diagnostic& fail(int code, std::string message) override {
        return resolution_.report(holder_, where(), code, std::move(message));
    }
    Diagnostic& fail_at(std::size_t begin,
                        std::size_t end,
                        int code,
                        std::string message) override {
        std::size_t shift = interpolation_.raw_begin;
        return resolution_.report(holder_,
                                  resolution_.span_of(holder_, shift + begin, shift + end),
                                  code,
                                  std::move(message));
    }
    void warn(int code, std::string message) override {
        resolution_.diagnostics_.warning(code, where(), std::move(message)).at_key(key());
    }

private:
    Resolution& resolution_;
    Slot& holder_;
    const Interpolation& interpolation_;
    std::string name_;
    std::vector<NodePtr> arguments_;
};

NodePtr Resolution::call(Slot& holder, const Interpolation& interpolation) {
    std::string name;
    Span where = span_of(holder, interpolation.begin, interpolation.end);
    for (const TextPiece& piece : interpolation.name) {
        if (!piece.interpolation) {
            name += piece.literal;
            continue;
        }
        NodePtr value = evaluate(holder, *piece.interpolation);
        if (!value)
            return nullptr;
        if (value->kind != Kind::string || value->secret) {
            report(holder,
                   where,
                   code::kUnknownResolver,
                   fmt::format("the name of a resolver must be text, not {}",
                               value->secret ? "a secret" : describe_value(*value)));
            return nullptr;
        }
        name += value->text;
    }
    auto resolver = resolvers_.find(name);
    if (resolver == resolvers_.end()) {
        std::vector<std::string> names;
        for (const auto& [known, function] : resolvers_)
            names.push_back(known);
        std::string near = did_you_mean(name, names);
        report(holder,
               where,
               code::kUnknownResolver,
               fmt::format("unknown resolver '{}'", escape_controls(shorten(name, 40))))
            .with_hint(near.empty() ? "resolvers are " + stillroom::join(names) : near);
        return nullptr;
    }
    std::vector<NodePtr> arguments;
    for (const ArgumentValue& value : interpolation.arguments) {
        NodePtr node = argument(holder, value, interpolation);
        if (!node)
            return nullptr;
        arguments.push_back(std::move(node));
    }
    Call call(*this, holder, interpolation, name, std::move(arguments));
    NodePtr result = resolver->second(call);
    if (result && !result->is_scalar())
        kept_.push_back(result);
    if (result && result->is_missing()) {
        report(holder,
               where,
               code::kMissingValue,
               fmt::format("'{}' gives ???, a value that is missing", name));
        return nullptr;
    }
    return result;
}

NodePtr Resolution::argument(Slot& holder, const ArgumentValue& value, const Interpolation& call) {
    Span where = span_of(holder, value.begin, value.end);
    auto node = std::make_shared<Node>();
    node->origin = holder.node->origin;
    node->where = where;
    switch (value.form) {
        case ArgumentValue::Form::list:
            node->kind = Kind::list;
            node->style = Style::flow;
            for (const ArgumentValue& item : value.items) {
                NodePtr inner = argument(holder, item, call);
                if (!inner)
                    return nullptr;
                node->items.push_back(std::move(inner));
            }
            return node;
        case ArgumentValue::Form::map:
            node->kind = Kind::map;
            node->style = Style::flow;
            for (std::size_t i = 0; i < value.items.size(); ++i) {
                NodePtr inner = argument(holder, value.items[i], call);
                if (!inner)
                    return nullptr;
                node->entries.push_back({value.keys[i], where, std::move(inner), false});
            }
            return node;
        default:
            break;
    }
    bool primitive = value.form == ArgumentValue::Form::primitive;
    bool alone = value.text.size() == 1 && value.text[0].interpolation;
    if (alone && primitive)
        return evaluate(holder, *value.text[0].interpolation);
    bool literal = value.text.empty() || (value.text.size() == 1 && !alone);
    std::optional<Joined> joined = join(holder, value.text);
    if (!joined)
        return nullptr;
    node->kind = Kind::string;
    node->style = primitive ? Style::plain : Style::double_quoted;
    node->text = std::move(joined->text);
    node->secret = joined->secret;
    node->begins = joined->begins;
    if (primitive && literal && !value.escaped)
        node->kind = primitive_kind(node->text);
    return node;
}

}  // namespace stillroom
