#include "engine/recipe/override_functions.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/override_casts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace stillroom {
namespace {

constexpr std::size_t kMostValues = 10'000;    // of a range
constexpr std::size_t kLongestNumber = 64;     // characters of a range's bound
constexpr std::uint64_t kShuffleSeed = 20'26;  // any: it must only stay the same

[[noreturn]] void refuse(Span where, std::string message, std::string hint = {}) {
    throw OverrideMistake{code::kFunctionArguments, where, std::move(message), std::move(hint)};
}

std::string_view element_name(const Element& element) {
    if (!element.sweep)
        return kind_name(element.value->kind);
    switch (element.sweep->form) {
        case Sweep::Form::choice:
            return "a choice";
        case Sweep::Form::range:
            return "a range";
        case Sweep::Form::interval:
            return "an interval";
        case Sweep::Form::glob:
            break;
    }
    return "a glob";
}

/// Arguments by the names of their parameters; the first `required` must be there.
std::map<std::string, const Element*> bind(const Call& call,
                                           const std::vector<std::string>& names,
                                           std::size_t required) {
    std::map<std::string, const Element*> bound;
    if (call.positional.size() > names.size())
        refuse(call.positional[names.size()].where,
               fmt::format("{} takes at most {}", call.name, plural(names.size(), "argument")));
    for (std::size_t i = 0; i < call.positional.size(); ++i)
        bound[names[i]] = &call.positional[i];
    for (const auto& [name, element] : call.keywords) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            refuse(element.where,
                   fmt::format("{} has no argument '{}'", call.name, name),
                   did_you_mean(name, names));
        if (!bound.emplace(name, &element).second)
            refuse(element.where, fmt::format("argument '{}' is given twice", name));
    }
    for (std::size_t i = 0; i < required; ++i)
        if (!bound.contains(names[i]))
            refuse(call.where, fmt::format("{} needs its argument '{}'", call.name, names[i]));
    return bound;
}

void refuse_keywords(const Call& call) {
    if (!call.keywords.empty())
        refuse(call.keywords.front().second.where,
               fmt::format("{} has no argument '{}'", call.name, call.keywords.front().first),
               "to mean the '=' itself write \\= or quote the value");
}

void refuse_null(const Call& call, const Element& element) {
    if (element.value && element.value->is_null())
        refuse(element.where,
               fmt::format("{} cannot take null", call.name),
               "for a sweep with null write a plain list of values: key=null,1");
}

Element as_choice(std::vector<NodePtr> values, Span where, bool loose) {
    Element out;
    out.where = where;
    out.loose = loose;
    out.sweep.emplace();
    out.sweep->values = std::move(values);
    out.sweep->where = where;
    return out;
}

std::vector<NodePtr> plain_arguments(const Call& call) {
    std::vector<NodePtr> values;
    for (const Element& element : call.positional) {
        refuse_null(call, element);
        if (element.sweep || element.extends)
            refuse(element.where,
                   fmt::format("{} cannot take {} beside other values",
                               call.name,
                               element.extends ? "extend_list" : element_name(element)));
        values.push_back(element.value);
    }
    return values;
}

Element choice(Call& call) {
    refuse_keywords(call);
    if (call.positional.empty())
        refuse(call.where, "a choice needs at least one value", "write choice(a,b)");
    if (call.positional.size() == 1 && call.positional[0].loose)
        return as_choice(call.positional[0].sweep->values, call.where, false);
    for (const Element& element : call.positional)
        if (element.sweep)
            throw OverrideMistake{
                code::kSweepPlace,
                element.where,
                fmt::format("{} cannot stand inside a choice", element_name(element)),
                "write all values in one choice(..)"};
    return as_choice(plain_arguments(call), call.where, false);
}

/// A finite number within what can be counted in.
Decimal number_argument(const Call& call, const std::string& name, const Element& element) {
    bool number = element.value &&
                  (element.value->kind == Kind::integer || element.value->kind == Kind::number);
    if (!number)
        refuse(element.where,
               fmt::format("'{}' of {} must be a number, not {}",
                           name,
                           call.name,
                           element.sweep ? std::string(element_name(element))
                                         : describe_value(*element.value)));
    std::optional<Decimal> value = decimal_value(*element.value);
    bool countable = value && std::isfinite(value->to_double()) &&
                     (value->is_zero() || value->to_double() != 0) &&
                     element.value->text.size() <= kLongestNumber;
    if (!countable)
        refuse(element.where,
               fmt::format("'{}' of {} must be a finite number of at most {} characters",
                           name,
                           call.name,
                           kLongestNumber));
    return *value;
}

Element range(Call& call) {
    auto bound = bind(call, {"start", "stop", "step"}, 1);
    Element zero, one;
    zero.where = one.where = call.where;
    zero.value = make_integer(0, call.where);
    one.value = make_integer(1, call.where);
    bool only_stop = !bound.contains("stop");
    const Element& start = only_stop ? zero : *bound["start"];
    const Element& stop = only_stop ? *bound["start"] : *bound["stop"];
    const Element& step = bound.contains("step") ? *bound["step"] : one;
    Decimal from = number_argument(call, "start", start);
    Decimal to = number_argument(call, "stop", stop);
    Decimal by = number_argument(call, "step", step);
    if (by.is_zero())
        refuse(step.where, "the step of a range cannot be 0");
    bool integers = start.value->kind == Kind::integer && stop.value->kind == Kind::integer &&
                    step.value->kind == Kind::integer;
    Element out;
    out.where = call.where;
    Sweep& sweep = out.sweep.emplace();
    sweep.form = Sweep::Form::range;
    sweep.where = call.where;
    sweep.start = start.value;
    sweep.end = stop.value;
    sweep.step = step.value;
    for (Decimal value = from; by.is_negative() ? value > to : value < to; value = value + by) {
        if (sweep.values.size() == kMostValues)
            refuse(call.where, fmt::format("this range has more than {} values", kMostValues));
        std::optional<std::int64_t> whole = integers ? value.to_int64() : std::nullopt;
        if (integers && !whole)
            refuse(call.where, "the integers of a range must fit in 64 bits");
        sweep.values.push_back(whole ? make_integer(*whole, call.where)
                                     : make_number(value, call.where));
    }
    if (sweep.values.empty())
        refuse(call.where,
               fmt::format(
                   "this range is empty: from {} to {} by {}", from.text(), to.text(), by.text()),
               by.is_negative() == (to < from) ? "the end itself is not part of a range"
                                               : "give a step of the other sign");
    return out;
}

Element interval(Call& call) {
    auto bound = bind(call, {"start", "end"}, 2);
    Decimal start = number_argument(call, "start", *bound["start"]);
    Decimal end = number_argument(call, "end", *bound["end"]);
    if (start > end)
        refuse(call.where,
               fmt::format(
                   "an interval must not end below its start: {} > {}", start.text(), end.text()));
    Element out;
    out.where = call.where;
    Sweep& sweep = out.sweep.emplace();
    sweep.form = Sweep::Form::interval;
    sweep.where = call.where;
    sweep.start = make_number(start, bound["start"]->where);
    sweep.end = make_number(end, bound["end"]->where);
    return out;
}

std::vector<std::string> patterns(const Call& call, const Element& element) {
    std::vector<NodePtr> nodes;
    if (element.value)
        nodes = element.value->is_list() ? element.value->items : std::vector{element.value};
    std::vector<std::string> out;
    for (const NodePtr& node : nodes) {
        if (node->kind != Kind::string)
            refuse(node->where,
                   fmt::format("{} takes patterns, not {}", call.name, describe_value(*node)));
        out.push_back(node->text);
    }
    if (element.sweep)
        refuse(element.where,
               fmt::format("{} takes patterns, not {}", call.name, element_name(element)));
    return out;
}

Element glob(Call& call) {
    auto bound = bind(call, {"include", "exclude"}, 1);
    Element out;
    out.where = call.where;
    Sweep& sweep = out.sweep.emplace();
    sweep.form = Sweep::Form::glob;
    sweep.where = call.where;
    sweep.include = patterns(call, *bound["include"]);
    if (bound.contains("exclude"))
        sweep.exclude = patterns(call, *bound["exclude"]);
    return out;
}

Element tag(Call& call) {
    std::vector<const Element*> arguments;
    for (const Element& element : call.positional)
        arguments.push_back(&element);
    if (arguments.empty())
        refuse(call.where, "tag needs a sweep", "write tag(LABEL, choice(..))");
    for (const auto& [name, element] : call.keywords) {
        if (name != "sweep" || call.keywords.size() > 1)
            refuse(element.where, fmt::format("tag has no argument '{}'", name));
        arguments.push_back(&element);
    }
    const Element& last = *arguments.back();
    if (!last.sweep || last.sweep->form == Sweep::Form::glob)
        refuse(last.where,
               fmt::format("the last argument of tag must be a choice, a range or an interval, "
                           "not {}",
                           element_name(last)));
    Element out = last;
    out.loose = false;
    out.where = call.where;
    out.sweep->tags.clear();
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
        const Element& label = *arguments[i];
        if (!label.value || label.value->kind != Kind::string)
            refuse(label.where, fmt::format("a label must be text, not {}", element_name(label)));
        out.sweep->tags.push_back(label.value->text);
    }
    return out;
}

/// What sort and shuffle reorder: a sweep's values, a list's items, or several arguments.
struct Sequence {
    Element whole;
    std::vector<NodePtr>* values = nullptr;  ///< null: one scalar, which stays
};

void collect(Call& call, Sequence& out) {
    const Element* only = call.positional.size() == 1 ? &call.positional[0] : nullptr;
    for (const auto& [name, element] : call.keywords)
        if (name == "list" || name == "sweep")
            only = &element;
    if (!only && call.positional.empty())
        refuse(call.where, fmt::format("{} needs something to reorder", call.name));
    if (!only) {
        std::vector<NodePtr> values = plain_arguments(call);
        out.whole = as_choice(std::move(values), call.where, true);
    } else {
        refuse_null(call, *only);
        out.whole = *only;
        out.whole.where = call.where;
    }
    if (out.whole.sweep) {
        Sweep& sweep = *out.whole.sweep;
        if (sweep.form == Sweep::Form::interval || sweep.form == Sweep::Form::glob)
            refuse(only->where, fmt::format("{} cannot take {}", call.name, element_name(*only)));
        sweep.step = nullptr;
        out.values = &sweep.values;
    } else if (out.whole.value->is_list()) {
        auto list = copy(*out.whole.value);
        out.whole.value = list;
        out.values = &list->items;
    }
}

/// -1, 0 or 1, as numbers, texts, or lists item by item.
int compare(const Call& call, const Node& a, const Node& b) {
    auto number = [](const Node& node) {
        return node.kind == Kind::integer || node.kind == Kind::number ||
               node.kind == Kind::boolean;
    };
    if (number(a) && number(b)) {
        auto value = [](const Node& node) {
            if (node.kind == Kind::boolean)
                return std::optional<Decimal>(Decimal(boolean_value(node) ? 1 : 0));
            return decimal_value(node);
        };
        std::optional<Decimal> x = value(a), y = value(b);
        if (x && y)
            return *x < *y ? -1 : *x > *y ? 1 : 0;
        double left = x ? x->to_double() : double_value(a);
        double right = y ? y->to_double() : double_value(b);
        if (!std::isnan(left) && !std::isnan(right))
            return left < right ? -1 : left > right ? 1 : 0;
    } else if (a.kind == Kind::string && b.kind == Kind::string) {
        int order = a.text.compare(b.text);
        return order < 0 ? -1 : order > 0 ? 1 : 0;
    } else if (a.is_list() && b.is_list()) {
        for (std::size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i)
            if (int order = compare(call, *a.items[i], *b.items[i]))
                return order;
        return a.items.size() < b.items.size() ? -1 : a.items.size() > b.items.size() ? 1 : 0;
    }
    refuse(call.where,
           fmt::format("{} and {} have no order", describe_value(a), describe_value(b)));
}

Element sort(Call& call) {
    bool reverse = false;
    for (const auto& [name, element] : call.keywords) {
        if (name != "reverse" && name != "list" && name != "sweep")
            refuse(element.where, fmt::format("sort has no argument '{}'", name));
        if (name != "reverse")
            continue;
        if (!element.value || element.value->kind != Kind::boolean)
            refuse(element.where, "'reverse' of sort must be true or false");
        reverse = boolean_value(*element.value);
    }
    Sequence sequence;
    collect(call, sequence);
    if (!sequence.values)
        return sequence.whole;
    for (const NodePtr& value : *sequence.values)  // also where nothing would be compared
        compare(call, *sequence.values->front(), *value);
    std::stable_sort(
        sequence.values->begin(), sequence.values->end(), [&](const NodePtr& a, const NodePtr& b) {
            return reverse ? compare(call, *b, *a) < 0 : compare(call, *a, *b) < 0;
        });
    return sequence.whole;
}

Element shuffle(Call& call) {
    for (const auto& [name, element] : call.keywords)
        if (name != "list" && name != "sweep")
            refuse(element.where, fmt::format("shuffle has no argument '{}'", name));
    Sequence sequence;
    collect(call, sequence);
    if (!sequence.values)
        return sequence.whole;
    std::uint64_t state = kShuffleSeed;
    auto next = [&state] {
        std::uint64_t z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    };
    for (std::size_t i = sequence.values->size(); i > 1; --i)
        std::swap((*sequence.values)[i - 1], (*sequence.values)[next() % i]);
    return sequence.whole;
}

Element cast(Call& call, Cast cast) {
    bool named = call.keywords.size() == 1 && call.keywords[0].first == "value";
    if (!named)
        refuse_keywords(call);
    if (named == !call.positional.empty())
        refuse(call.where, fmt::format("{} takes one value, or several to choose from", call.name));
    if (named)
        return cast_element(call.keywords[0].second, cast, call.where);
    if (call.positional.size() == 1 && call.positional[0].extends)
        refuse(call.where, fmt::format("{} cannot take extend_list", call.name));
    if (call.positional.size() == 1)
        return cast_element(call.positional[0], cast, call.where);
    return cast_element(as_choice(plain_arguments(call), call.where, true), cast, call.where);
}

Element extend_list(Call& call) {
    refuse_keywords(call);
    auto list = std::make_shared<Node>();
    list->kind = Kind::list;
    list->style = Style::flow;
    list->origin = Origin::argument;
    list->where = call.where;
    for (const Element& element : call.positional) {
        if (element.sweep || element.extends)
            refuse(element.where, "extend_list takes plain values", "write key+=[..]");
        list->items.push_back(element.value);
    }
    Element out;
    out.where = call.where;
    out.value = std::move(list);
    out.extends = true;
    return out;
}

Element logrange(Call& call) {
    auto bound = bind(call, {"a", "b", "n"}, 3);
    Decimal first = number_argument(call, "a", *bound["a"]);
    Decimal last = number_argument(call, "b", *bound["b"]);
    for (const char* name : {"a", "b"})
        if (number_argument(call, name, *bound[name]) <= Decimal(0))
            refuse(bound[name]->where, fmt::format("'{}' of logrange must be above 0", name));
    std::optional<std::int64_t> count = number_argument(call, "n", *bound["n"]).to_int64();
    if (!count || *count < 2 || *count > static_cast<std::int64_t>(kMostValues))
        refuse(bound["n"]->where,
               fmt::format("'n' of logrange must be an integer from 2 to {}", kMostValues));
    double from = std::log(first.to_double()), to = std::log(last.to_double());
    std::vector<NodePtr> values{make_number(first, call.where)};
    for (std::int64_t i = 1; i + 1 < *count; ++i) {
        double share = static_cast<double>(i) / static_cast<double>(*count - 1);
        std::string text = fmt::format("{:.12g}", std::exp(from + (to - from) * share));
        values.push_back(make_number(Decimal::parse(text).value_or(first), call.where));
    }
    values.push_back(make_number(last, call.where));
    return as_choice(std::move(values), call.where, false);
}

using Function = Element (*)(Call&);
const std::map<std::string, Function>& functions() {
    static const std::map<std::string, Function> table = {
        {"choice", choice},
        {"range", range},
        {"interval", interval},
        {"glob", glob},
        {"tag", tag},
        {"sort", sort},
        {"shuffle", shuffle},
        {"extend_list", extend_list},
        {"logrange", logrange},
        {"int", [](Call& call) { return cast(call, Cast::to_int); }},
        {"float", [](Call& call) { return cast(call, Cast::to_float); }},
        {"bool", [](Call& call) { return cast(call, Cast::to_bool); }},
        {"str", [](Call& call) { return cast(call, Cast::to_str); }},
    };
    return table;
}

}  // namespace

const std::vector<std::string>& function_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> out;
        for (const auto& [name, function] : functions())
            out.push_back(name);
        return out;
    }();
    return names;
}

Element call_function(Call& call) {
    auto found = functions().find(call.name);
    if (found != functions().end())
        return found->second(call);
    std::string nearest = did_you_mean(call.name, function_names());
    std::string list = fmt::format(
        "functions are {}; a zip must be the whole value; to mean the "
        "parenthesis itself write \\( or quote the value",
        join(function_names()));
    throw OverrideMistake{code::kFunctionName,
                          call.name_where,
                          fmt::format("unknown function '{}'", call.name),
                          nearest.empty() ? list : nearest + " " + list};
}

}  // namespace stillroom
